"""All tables in one run: ``python -m bench all [--quick] [--only NAME,…]`` writes ``bench/results/`` and ``docs/benchmarks.md``.

The figures of a machine that does other work as well are right as ratios only; the page says how busy it was.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.table import Table

#: The benchmarks that make a table; judge and console keep their own pages.
NAMES = ("evaluate", "load", "cli")
ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"

_INTRODUCTION = """# Benchmarks

How long users wait, beside what they would pick instead and beside what the machine can do at all, measured side by side in one run.
This page is written by `python -m bench all`; `scripts/bench-peers` installs the tools that are compared with, each into an environment
of its own, and `python -m bench NAME` measures one thing. What the console costs is in [the console's page](console.md), what the judge
decides and costs in [the judge's](judge.md).

Rounds are interleaved: each contender is measured once, then each again, every other round backwards. A figure is the median of the
rounds, the spread half the distance between their quartiles. Trust the ratios before the figures: machines differ, and what else one does
hits all contenders alike. Where CPU time is measured, other programs' work is not in it, though it slows caches and clocks.
"""


def machine() -> dict[str, str]:
    """What it was measured on."""
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) / (1 << 20)
    return {
        "machine": f"{os.cpu_count()} × {models[0] if models else platform.machine()}, {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, {platform.python_implementation()} {platform.python_version()}",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def busyness(before: float, after: float) -> str:
    """How busy the machine was, in words: its load before and after, of which this run is about one."""
    said = f"load {before:.1f} before, {after:.1f} after"
    cores = os.cpu_count() or 1
    if before > 0.5 * cores:
        return f"{said}: **the machine was busy with other work**, so only the ratios say something"
    return f"{said}: it did little else"


def page(tables: list[Table], facts: dict[str, str], *, quick: bool) -> str:
    """The whole page."""
    lines = [_INTRODUCTION, "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())]
    lines.append(f"| run | {'quick: few and short rounds' if quick else 'whole'} |")
    for one in tables:
        lines += ["", f"## {one.name}", "", one.markdown()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Run them all and write what they found; 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench all", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds, less than ten minutes")
    parser.add_argument("--only", default=",".join(NAMES), help="which, separated by commas")
    chosen = parser.parse_args(arguments)
    names = chosen.only.split(",")
    if unknown := set(names) - set(NAMES):
        parser.error(f"--only: there is no benchmark {min(unknown)!r}; there are {', '.join(NAMES)}")
    before, tables = os.getloadavg()[0], []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        tables.append(importlib.import_module(f"bench.{name}").table(quick=chosen.quick))
    facts = {**machine(), "how busy": busyness(before, os.getloadavg()[0])}
    RESULTS.mkdir(exist_ok=True)
    for table in tables:
        whole = {**facts, "quick": chosen.quick, **json.loads(table.json())}
        (RESULTS / f"{table.name}.json").write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
    if names == list(NAMES):
        PAGE.write_text(page(tables, facts, quick=chosen.quick))
    for table in tables:
        print(f"## {table.name}\n\n{table.markdown()}\n")
    return 1 if any(table.correct is False for table in tables) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
