"""docs/benchmarks.md, from what is kept of each benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.registry import BENCHMARKS
from bench.stamp import ROOT
from bench.table import Table, shown

PAGE = ROOT / "docs" / "benchmarks.md"

_INTRODUCTION = """# Benchmarks

How long users wait, beside what they would pick instead and beside what the machine can do at all, measured side by side in one run.
This page is written by `python -m bench all`; `scripts/bench-peers` installs the tools that are compared with, each into an environment
of its own. `python -m bench NAME` measures one thing, and with `--record` puts it in its place here. What the console costs in detail
is in [the console's page](console.md), what the judge decides in [the judge's](judge.md).

Rounds are interleaved: each contender is measured once, then each again, every other round backwards. A figure is the median of the
rounds, the spread half the distance between their quartiles. Trust the ratios before the figures: machines differ, and what else one does
hits all contenders alike. Where CPU time is measured, other programs' work is not in it, though it slows caches and clocks.
"""


def write_page(results: dict[str, dict[str, Any]], page: Path = PAGE) -> None:
    """Write it anew."""
    page.write_text(page_text(results))


def page_text(results: dict[str, dict[str, Any]]) -> str:
    """The whole page: what isn't reached first, then each benchmark."""
    ordered = [name for name in BENCHMARKS if name in results]
    lines = [_INTRODUCTION, *_overview({name: results[name] for name in ordered})]
    for name in ordered:
        lines += ["", f"## {name}", "", *_section(results[name])]
    return "\n".join(lines) + "\n"


def _overview(results: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each benchmark: how much of what it must reach is reached."""
    lines = ["| benchmark | must be reached | measured | of commit |", "|---|---|---|---|"]
    for name, result in results.items():
        goals = result.get("goals", [])
        reached = sum(goal["reached"] for goal in goals)
        said = f"{reached} of {len(goals)} reached" if goals else "–"
        if "failed" in result:
            said = f"**failed on {result['failed']['date']}**" + (f", before that {said}" if goals else "")
        elif result.get("correct") is False:
            said = "**wrong answers**"
        lines.append(f"| [{name}](#{name}) | {said} | {result.get('date', '–')} | {result.get('commit') or '–'} |")
    missed = [
        f"| {name}: {goal['what']} | {shown(goal['bound'])} {goal['unit']} | {shown(goal['found'])} {goal['unit']} | {_why(goal, result)} |"
        for name, result in results.items()
        for goal in result.get("goals", [])
        if not goal["reached"]
    ]
    if missed:
        lines += ["", "What isn't reached:", "", "| what | asked for | found | why |", "|---|--:|--:|---|", *missed]
    return lines


def _why(goal: dict[str, Any], result: dict[str, Any]) -> str:
    """What stands in the way, as far as it is known."""
    busy = "measured on a machine that was busy with other work" if "busy with" in result.get("how busy", "") else ""
    return "; ".join(one for one in (goal["why"], busy) if one) or "not found out yet"


def _section(result: dict[str, Any]) -> list[str]:
    lines = []
    if "failed" in result:
        failed = result["failed"]
        lines += [f"**It failed on {failed['date']}** (commit {failed['commit'] or 'unknown'}): {failed['why']}", ""]
    if "rows" not in result:
        return lines
    run = "quick: few and short rounds" if result.get("quick") else "whole"
    facts = [result.get(name, "") for name in ("date", "machine", "system", "how busy")]
    commit = f"commit {result['commit']}" if result.get("commit") else ""
    took = f"{run}, {result['seconds']} s" if "seconds" in result else run
    lines += ["*" + " · ".join(one for one in (facts[0], commit, *facts[1:], took) if one) + "*", ""]
    return [*lines, Table.from_dict(result).markdown().strip()]
