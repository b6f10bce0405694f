"""The file that an experiment is kept in, so that it can be done in pieces: one JSON line a job, one a measured look."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bench.judge_cells import Run

_ROOT = Path(__file__).resolve().parent.parent


def code_digest() -> str:
    """16 hex digits that change with the judge, the rules and the worlds: runs of different code don't belong together."""
    files = [*_ROOT.glob("src/flagconsole/domain/judge/*.py"), *_ROOT.glob("bench/judge_*.py")]
    apart = {"judge_file.py", "judge_look.py", "judge_cells.py", "judge_kept.py", "judge_experiment.py"}
    digest = hashlib.sha256()
    for path in sorted(files):
        if path.name not in apart:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


class Experiment:
    """What was done so far. Raises ``ValueError`` for a file of other code, or one that is no experiment."""

    def __init__(self, path: Path, code: str | None = None) -> None:
        self._path = path
        self.runs: list[Run] = []
        self.looks: list[dict[str, float | None]] = []
        self._done: set[tuple[str, str, int]] = set()
        self._code = code
        if path.exists():
            for number, line in enumerate(path.read_text().splitlines(), start=1):
                self._read(number, line)

    def _read(self, number: int, line: str) -> None:
        try:
            entry = json.loads(line)
            if self._code is not None and entry["code"] != self._code:
                raise ValueError(f"{self._path}:{number} was measured with other code: begin a new file")
            if "look" in entry:
                self.looks.append(entry["look"])
                return
            runs = [Run(*values) for values in entry["runs"]]
            self._done |= {(entry["world"], scenario, entry["seed"]) for scenario in entry["scenarios"]}
        except (KeyError, TypeError, json.JSONDecodeError):
            # Cut off in the middle of a line by whoever stopped it: that job is done again.
            return
        self.runs += runs

    def missing(self, world: str, scenarios: tuple[str, ...], seed: int) -> tuple[str, ...]:
        """Those of the scenarios that weren't run yet with this seed."""
        return tuple(name for name in scenarios if (world, name, seed) not in self._done)

    def add(self, world: str, scenarios: tuple[str, ...], seed: int, runs: list[Run]) -> None:
        """Keep one job's runs."""
        self.runs += runs
        self._done |= {(world, scenario, seed) for scenario in scenarios}
        self._append({"world": world, "scenarios": scenarios, "seed": seed, "runs": runs})

    def add_look(self, look: dict[str, float | None]) -> None:
        """Keep how long a look took."""
        self.looks = [one for one in self.looks if one["tenants"] != look["tenants"]] + [look]
        self._append({"look": look})

    def _append(self, entry: dict[str, object]) -> None:
        if self._code is None:
            return
        cut = self._path.exists() and self._path.stat().st_size and not self._path.read_bytes().endswith(b"\n")
        with self._path.open("a") as file:
            file.write(("\n" if cut else "") + json.dumps({"code": self._code} | entry) + "\n")
