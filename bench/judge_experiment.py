"""How often does each rule roll a healthy canary back, and how soon does it find a bad one?

``python -m bench judge_experiment`` simulates canaries of 48 h and gives the same data to the judge and
to the rules it competes with. ``--quick`` takes less than a minute, the full run about half an hour on two idle cores; with
``--resume FILE`` it can be stopped and gone on with at any time, and ``--report FILE`` makes the tables of docs/judge.md.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

# The arrays are small: more threads than processes only get in each other's way. Has to be set before numpy loads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from bench.judge_cells import JUDGE, PLAN, Run, cells, table
from bench.judge_file import Experiment, code_digest
from bench.judge_kept import keep_cells
from bench.judge_look import HOURS, look_times
from bench.judge_rules import RULES, Totals
from bench.judge_run import first_failure
from bench.judge_world import LOOK_SECONDS, SCENARIOS, WORLDS, Trial, World

#: Worlds in which the competing rules run as well.
RIVALS = frozenset({"main", "incident", "half"})
#: Worlds other than the table's own get one of so many seeds: they only have to show that the level holds.
FEWER = {"half": 5, "few tenants": 5, "little traffic": 5, "much drift": 5, "long bursts": 5}
SIZES = (500, 5_000, 50_000)
QUICK_RUNS, QUICK_SIZES, QUICK_HOURS = 3, (500,), 4
#: Where the tables stand in docs/judge.md.
BEGIN, END = "<!-- the bench's tables -->", "<!-- end of the bench's tables -->"


class Job(NamedTuple):
    """One seed of one world; ``rivals`` says whether the competing rules run as well."""

    world: str
    scenarios: tuple[str, ...]
    seed: int
    rivals: bool


def run(job: Job) -> tuple[Job, list[Run]]:
    """All trials of one seed."""
    world = World(WORLDS[job.world], job.seed)
    runs = []
    for scenario in job.scenarios:
        trial = world.trial(SCENARIOS[scenario])
        decisions = {JUDGE: first_failure(trial)}
        if job.rivals:
            totals = Totals(trial)
            decisions |= {name: (rule(totals), "") for name, rule in RULES.items()}
        for rule, (look, found_by) in decisions.items():
            runs.append(Run(job.world, scenario, rule, look, _exposed(trial, scenario, look), found_by))
    return job, runs


def _exposed(trial: Trial, scenario: str, look: int) -> int:
    """How many operations of the cohort met the effect before the rollback."""
    onset = int(SCENARIOS[scenario].onset_hours * 3600 / LOOK_SECONDS)
    return int(trial.operations[onset : look + 1, trial.canary].sum()) if look >= onset else 0


def simulate(experiment: Experiment, jobs: list[Job], processes: int, seconds: float, show_progress: bool) -> None:
    """Run the jobs, as many as ``seconds`` allow."""
    if not jobs:
        return
    started = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, (job, runs) in enumerate(pool.imap_unordered(run, jobs), start=1):
            experiment.add(job.world, job.scenarios, job.seed, runs)
            if show_progress and (done % 20 == 0 or done == len(jobs)):
                print(f"{done}/{len(jobs)} after {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            if time.monotonic() - started > seconds:
                pool.terminate()
                break


def report(experiment: Experiment) -> str:
    """The tables, as Markdown."""
    lines = [table(cells(experiment.runs))]
    if experiment.looks:
        lines += [
            "",
            "| tenants | median look | slowest look | CPU of the median look | first look after a restart | kept state |",
        ]
        lines.append("|---|---|---|---|---|---|")
    for one in sorted(experiment.looks, key=lambda look: look["tenants"] or 0):
        restart = "" if one["restart_ms"] is None else f"{one['restart_ms'] / 1000:.1f} s"
        lines.append(
            f"| {one['tenants']:,.0f} | {one['median_ms']:.0f} ms | {one['slowest_ms']:.0f} ms "
            f"| {one['median_cpu_ms']:.0f} ms | {restart} | {one['state_bytes'] / 1000:.0f} kB |"
        )
    return "\n".join(lines).strip()


def jobs_of(experiment: Experiment, worlds: list[str], seeds: range) -> list[Job]:
    """What is still to be run, seed by seed, so that a part of it is a smaller experiment of all worlds."""
    wanted = (
        (world, experiment.missing(world, PLAN[world], seed), seed)
        for seed in seeds
        for world in worlds
        if seed % FEWER.get(world, 1) == 0
    )
    return [Job(world, missing, seed, world in RIVALS) for world, missing, seed in wanted if missing]


def main(arguments: list[str] | None = None) -> int:
    """Run the experiment and print its tables, then one JSON object per cell and per measured look."""
    parser = argparse.ArgumentParser(prog="python -m bench judge_experiment", description=__doc__)
    quick = f"{QUICK_RUNS} runs a cell, main world only: less than a minute"
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="only the JSON objects")
    parser.add_argument("--runs", type=int, default=500, help="runs a cell (500)")
    parser.add_argument("--first-seed", type=int, default=0, help="the first run's seed (0)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then, with the runs that are done")
    parser.add_argument("--worlds", default=",".join(PLAN), help="which worlds, separated by commas")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1), help="how many at once (2)")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="keep the runs in FILE, skip those that it has")
    parser.add_argument("--report", type=Path, metavar="FILE", help="run nothing: print the tables of FILE")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="with --report: put the tables into this page")
    keeping = "with --report: keep its cells for `python -m bench judge`, as measured at COMMIT"
    parser.add_argument("--keep", metavar="COMMIT", help=keeping)
    chosen = parser.parse_args(arguments)
    if chosen.report is not None:
        if chosen.keep is not None and chosen.report.exists():
            keep_cells(chosen.report, chosen.keep)
        return _report(parser, chosen.report, chosen.into)
    worlds = ["main"] if chosen.quick else chosen.worlds.split(",")
    unknown = set(worlds) - PLAN.keys()
    if unknown:
        parser.error(f"--worlds: there is no world {min(unknown)!r}; there are {', '.join(PLAN)}")
    runs = QUICK_RUNS if chosen.quick else chosen.runs
    if runs < 1:
        parser.error(f"--runs: must be at least 1 (got {runs})")
    with tempfile.TemporaryDirectory() as folder:
        path = chosen.resume or Path(folder) / "experiment.jsonl"
        try:
            experiment = Experiment(path, code_digest())
        except ValueError as error:
            parser.error(f"--resume: {error}")
        jobs = jobs_of(experiment, worlds, range(chosen.first_seed, chosen.first_seed + runs))
        simulate(experiment, jobs, chosen.processes, chosen.minutes * 60, not chosen.json)
        measured = {int(one["tenants"] or 0) for one in experiment.looks}
        for size in QUICK_SIZES if chosen.quick else SIZES:
            if size not in measured:
                experiment.add_look(look_times(size, Path(folder), QUICK_HOURS if chosen.quick else HOURS))
    if not chosen.json:
        print(report(experiment) + "\n")
    for one in (*cells(experiment.runs), *experiment.looks):
        print(json.dumps(one))
    return 0


def _report(parser: argparse.ArgumentParser, file: Path, page: Path | None) -> int:
    if not file.exists():
        parser.error(f"--report: there is no file {file}")
    text = report(Experiment(file))
    if page is None:
        print(text)
        return 0
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        parser.error(f"--into: {page} has no place for them: {BEGIN} … {END}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
