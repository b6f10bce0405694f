"""All benchmarks, one after the other: ``python -m bench all [--quick] [--only NAME,…] [--keep NAME,…]``.

Each runs in a process of its own and is kept below ``bench/results`` and in ``docs/benchmarks.md`` as soon as it is done. One that fails
is recorded as failed, and the others go on. ``--keep`` leaves a stored result as it is, with its own date and commit.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from bench.record import keep_failure, kept
from bench.registry import BENCHMARKS
from bench.stamp import ROOT

#: The machine's load before anything was measured: what the benchmark before has left of its own isn't other work.
_LOAD: Final = os.getloadavg()[0]
#: How a benchmark's process ends: 1 says that an answer was wrong, which is recorded; anything else that nothing was.
_FOUND = (0, 1)


def measured(name: str, *, quick: bool) -> str | None:
    """Have one measured and recorded by a process of its own; what went wrong, if anything."""
    before = kept().get(name)
    command = [sys.executable, "-m", "bench", name, "--record", "--json", f"--load-before={_LOAD}"]
    command += ["--quick"] if quick else []
    # In a session of its own, so that whatever it has started ends with it when it takes too long.
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _, said = process.communicate(timeout=60 * BENCHMARKS[name])
    except subprocess.TimeoutExpired:
        _end_all_of(process)
        return f"not done after {BENCHMARKS[name]} minutes"
    except BaseException:
        _end_all_of(process)
        raise
    lines = [line for line in said.splitlines() if line.strip()]
    if process.returncode not in _FOUND or kept().get(name) == before:
        return lines[-1][:300] if lines else f"ended with {process.returncode}"
    return None


def run(names: list[str], measure: Callable[[str], str | None]) -> list[str]:
    """Measure them in turn, telling on standard error how far it is; the names of those that failed or answered wrongly."""
    bad = []
    for number, name in enumerate(names, start=1):
        print(f"[{number}/{len(names)}] {name} …", file=sys.stderr, flush=True)
        begun = time.monotonic()
        problem = measure(name)
        if problem is not None:
            keep_failure(name, problem)
        wrong = problem is None and kept()[name].get("correct") is False
        if problem is not None or wrong:
            bad.append(name)
        goals = kept()[name].get("goals", [])
        said = (
            f"{sum(goal['reached'] for goal in goals)} of {len(goals)} reached"
            if problem is None
            else f"FAILED: {problem}"
        )
        print(
            f"[{number}/{len(names)}] {name}: {said}{', WRONG ANSWERS' if wrong else ''}, {time.monotonic() - begun:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return bad


def main(arguments: list[str]) -> int:
    """Run them all; 1 where one failed or an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench all", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds, less than ten minutes")
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="which, separated by commas")
    parser.add_argument("--keep", default="", metavar="NAMES", help="which to leave as they are recorded")
    chosen = parser.parse_args(arguments)
    only, keeping = ([name for name in text.split(",") if name] for text in (chosen.only, chosen.keep))
    for option, names in (("--only", only), ("--keep", keeping)):
        if unknown := set(names) - set(BENCHMARKS):
            parser.error(f"{option}: there is no benchmark {min(unknown)!r}; there are {', '.join(BENCHMARKS)}")
    bad = run([name for name in only if name not in keeping], lambda name: measured(name, quick=chosen.quick))
    if bad:
        print(f"failed or wrong: {', '.join(bad)}", file=sys.stderr)
    return 1 if bad else 0


def _end_all_of(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
