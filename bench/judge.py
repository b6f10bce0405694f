"""How often does each rule roll a healthy canary back, and how soon does it find a bad one?

``python -m bench judge`` (or ``python bench/judge.py``) simulates canaries of 48 h and gives the same data to the judge and
to the rules it competes with. ``--quick`` takes less than a minute, the full run less than an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

# The arrays are small: more threads than processes only get in each other's way. Has to be set before numpy loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if __name__ == "__main__" and __package__ is None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.judge_rules import RULES, Totals
from bench.judge_run import first_failure
from bench.judge_tick import tick_times
from bench.judge_world import LOOK_SECONDS, SCENARIOS, WORLDS, Trial, World

JUDGE = "the judge"
JUDGE_MEDIAN = "the judge, with a second latency count"
#: Where the second count of slow operations can make a difference.
WITH_MEDIAN = ("healthy", "p95 +10 %", "p95 +50 %")
#: Worlds other than the table's own get a part of the runs: they only show that the level holds.
FEWER = {"half": 5, "few tenants": 5, "little traffic": 5, "much drift": 5, "long bursts": 5}
#: Which scenarios are run in which world: all in the main one, elsewhere what shows level and power.
PLAN: dict[str, tuple[str, ...]] = {
    "main": tuple(SCENARIOS),
    "incident": ("healthy",),
    "half": ("healthy", "errors to 1 %", "errors to 3 %", "p95 +10 %", "p95 +50 %"),
    "few tenants": ("healthy", "errors to 3 %"),
    "little traffic": ("healthy", "errors to 3 %"),
    "much drift": ("healthy", "errors to 3 %"),
    "long bursts": ("healthy",),
}


class Run(NamedTuple):
    """What one rule did in one trial. ``look`` is -1 when it never rolled back."""

    world: str
    scenario: str
    rule: str
    look: int
    operations: int
    found_by: str


class Job(NamedTuple):
    """One seed of one world; ``rivals`` says whether the competing rules run as well."""

    world: str
    scenarios: tuple[str, ...]
    seed: int
    rivals: bool


def run(job: Job) -> list[Run]:
    """All trials of one seed."""
    world = World(WORLDS[job.world], job.seed)
    runs = []
    for scenario in job.scenarios:
        trial = world.trial(SCENARIOS[scenario])
        decisions = {JUDGE: first_failure(trial)}
        if job.world == "main" and scenario in WITH_MEDIAN:
            decisions[JUDGE_MEDIAN] = first_failure(trial, with_median=True)
        if job.rivals:
            totals = Totals(trial)
            decisions |= {name: (rule(totals), "") for name, rule in RULES.items()}
        for rule, (look, found_by) in decisions.items():
            runs.append(Run(job.world, scenario, rule, look, _exposed(trial, scenario, look), found_by))
    return runs


def _exposed(trial: Trial, scenario: str, look: int) -> int:
    """How many operations of the cohort met the effect before the rollback."""
    onset = int(SCENARIOS[scenario].onset_hours * 3600 / LOOK_SECONDS)
    return int(trial.operations[onset : look + 1, trial.canary].sum()) if look >= onset else 0


def cell(world: str, scenario: str, rule: str, runs: list[Run]) -> dict[str, object]:
    """One cell of the table. Delays are from the effect's onset, among the runs that found it."""
    onset = SCENARIOS[scenario].onset_hours * 3600
    early = [one for one in runs if one.look >= 0 and (one.look + 1) * LOOK_SECONDS <= onset]
    found = [one for one in runs if one.look >= 0 and one not in early]
    delays = sorted((one.look + 1) * LOOK_SECONDS - onset for one in found)
    low, high = _wilson(len(found), len(runs))
    return {
        "world": world,
        "scenario": scenario,
        "rule": rule,
        "runs": len(runs),
        "rolled_back": len(found) / len(runs),
        "low": low,
        "high": high,
        "rolled_back_before_onset": len(early) / len(runs),
        "median_delay_s": statistics.median(delays) if delays else None,
        "p95_delay_s": delays[math.ceil(0.95 * len(delays)) - 1] if delays else None,
        "median_operations_before": statistics.median(one.operations for one in found) if found else None,
        "found_by": {
            name: sum(one.found_by == name for one in found) for name in sorted({o.found_by for o in found} - {""})
        },
    }


def _wilson(hits: int, runs: int, z: float = 1.96) -> tuple[float, float]:
    share = hits / runs
    centre, reach = share + z * z / (2 * runs), z * math.sqrt(share * (1 - share) / runs + z * z / (4 * runs * runs))
    return max((centre - reach) / (1 + z * z / runs), 0.0), min((centre + reach) / (1 + z * z / runs), 1.0)


def simulate(jobs: list[Job], processes: int, seconds: float, show_progress: bool) -> list[dict[str, object]]:
    """Run the jobs, as many as ``seconds`` allow, and gather the cells."""
    grouped: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, runs in enumerate(pool.imap_unordered(run, jobs), start=1):
            for one in runs:
                grouped[one.world, one.scenario, one.rule].append(one)
            if show_progress and (done % 20 == 0 or done == len(jobs)):
                print(f"{done}/{len(jobs)} after {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            if time.monotonic() - started > seconds:
                pool.terminate()
                break
    rules = [JUDGE, JUDGE_MEDIAN, *RULES]
    order = sorted(
        grouped, key=lambda key: (list(PLAN).index(key[0]), list(SCENARIOS).index(key[1]), rules.index(key[2]))
    )
    return [cell(*key, grouped[key]) for key in order]


def table(cells: list[dict[str, object]]) -> str:
    """The cells as Markdown, one table per world: share rolled back, median delay."""
    lines = []
    for world in dict.fromkeys(str(one["world"]) for one in cells):
        here = [one for one in cells if one["world"] == world]
        scenarios = list(dict.fromkeys(str(one["scenario"]) for one in here))
        lines += [f"\n{world}, {here[0]['runs']} runs a cell", "", "| rule | " + " | ".join(scenarios) + " |"]
        lines.append("|---" * (len(scenarios) + 1) + "|")
        for rule in dict.fromkeys(str(one["rule"]) for one in here):
            found = {str(one["scenario"]): one for one in here if one["rule"] == rule}
            lines.append(f"| {rule} | " + " | ".join(_shown(found.get(name)) for name in scenarios) + " |")
    return "\n".join(lines)


def _shown(one: dict[str, object] | None) -> str:
    if one is None:
        return ""
    text = f"{100 * float(str(one['rolled_back'])):.1f} %"
    if one["median_delay_s"] is not None:
        text += f", {_duration(float(str(one['median_delay_s'])))}"
    if one["rolled_back_before_onset"]:
        text += f" ({100 * float(str(one['rolled_back_before_onset'])):.0f} % before)"
    return text


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def main(arguments: list[str] | None = None) -> int:
    """Run the experiment and print its table, then one JSON object per cell."""
    parser = argparse.ArgumentParser(prog="bench judge", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 runs a cell, main world only: less than a minute")
    parser.add_argument("--json", action="store_true", help="only the JSON objects")
    parser.add_argument("--runs", type=int, default=500, help="runs a cell (500)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run's seed (0)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, with the runs that are done")
    parser.add_argument("--worlds", default=",".join(PLAN), help="which worlds, separated by commas")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="how many at once (2)")
    chosen = parser.parse_args(arguments)
    worlds = ["main"] if chosen.quick else chosen.worlds.split(",")
    unknown = set(worlds) - PLAN.keys()
    if unknown:
        parser.error(f"--worlds: there is no world {min(unknown)!r}; there are {', '.join(PLAN)}")
    runs = 3 if chosen.quick else chosen.runs
    if runs < 1:
        parser.error(f"--runs: must be at least 1 (got {runs})")
    seeds = range(chosen.first_seed, chosen.first_seed + runs)
    rivals = {"main", "incident", "half"}
    jobs = [
        Job(world, PLAN[world], seed, world in rivals)
        for number, seed in enumerate(seeds)
        for world in worlds
        if number % FEWER.get(world, 1) == 0
    ]
    cells = simulate(jobs, chosen.processes, chosen.minutes * 60, not chosen.json)
    ticks = tick_times((500, 5_000, 50_000))
    if not chosen.json:
        print(table(cells))
        print("\n| tenants | setup | median look | look that spends a rank | saved state |\n|---|---|---|---|---|")
        for one in ticks:
            print(
                f"| {one['tenants']:,} | {one['setup_ms']:.0f} ms | {one['median_ms']:.1f} ms "
                f"| {one['worst_ms']:.1f} ms | {one['state_bytes'] / 1000:.0f} kB |"
            )
        print()
    for one in (*cells, *ticks):
        print(json.dumps(one))
    return 0


if __name__ == "__main__":
    sys.exit(main())
