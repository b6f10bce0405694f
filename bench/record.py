"""One benchmark from the command line: ``python -m bench NAME [--quick] [--json] [--record]``.

``--record`` keeps what was found in ``bench/results/NAME.json``, stamped with date, commit and machine, and writes the page anew; so any
one can be measured again without the others.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

from bench.page import write_page
from bench.stamp import ROOT, busyness, stamp
from bench.table import Table

RESULTS = ROOT / "bench" / "results"


def run(name: str, arguments: list[str]) -> int:
    """Measure, print, and keep it where that is asked for; 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(prog=f"python -m bench {name}")
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    parser.add_argument("--record", action="store_true", help="keep it below bench/results and in docs/benchmarks.md")
    parser.add_argument("--load-before", type=float, help="the machine's load before this run's own [as it is]")
    chosen = parser.parse_args(arguments)
    module = importlib.import_module(f"bench.{name}")
    parser.description = module.__doc__
    before = os.getloadavg()[0] if chosen.load_before is None else chosen.load_before
    begun, facts = time.monotonic(), stamp()
    table: Table = module.table(quick=chosen.quick)
    facts["how busy"] = busyness(before, os.getloadavg()[0])
    if chosen.record:
        keep(name, {**facts, "quick": chosen.quick, "seconds": round(time.monotonic() - begun)} | table.as_dict())
    return table.print(only_json=chosen.json)


def keep(name: str, result: dict[str, Any], results: Path = RESULTS) -> None:
    """Keep a result, and write the page of all that are kept."""
    results.mkdir(exist_ok=True)
    whole = results / f"{name}.json"
    beside = whole.with_suffix(".new")
    beside.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    beside.replace(whole)
    write_page(kept(results))


def keep_failure(name: str, why: str, results: Path = RESULTS) -> None:
    """Say beside what was found earlier, if anything, that this time it failed."""
    now = stamp()
    old = kept(results).get(name, {"benchmark": name})
    keep(name, {**old, "failed": {"date": now["date"], "commit": now["commit"], "why": why}}, results)


def kept(results: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """The newest result of each benchmark."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(results.glob("*.json"))}
