"""What came out of simulated canaries: runs, the cells of the table that they make, and the table."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from bench.judge_rules import RULES
from bench.judge_world import LOOK_SECONDS, SCENARIOS

JUDGE = "the judge"
#: Which scenarios are run in which world: all in the main one, elsewhere what shows level and power.
PLAN: dict[str, tuple[str, ...]] = {
    "main": tuple(SCENARIOS),
    "incident": ("healthy",),
    "half": ("healthy", "errors to 1 %", "errors to 3 %", "p95 +10 %", "p95 +50 %"),
    "few tenants": ("healthy", "errors to 3 %"),
    "little traffic": ("healthy", "errors to 3 %"),
    "much drift": ("healthy", "errors to 3 %"),
    "long bursts": ("healthy", "one tenant at 50 %"),
}


class Run(NamedTuple):
    """What one rule did in one trial. ``look`` is -1 when it never rolled back."""

    world: str
    scenario: str
    rule: str
    look: int
    operations: int
    found_by: str


def cells(runs: Iterable[Run]) -> list[dict[str, object]]:
    """The cells of the table, in its order."""
    grouped: dict[tuple[str, str, str], list[Run]] = defaultdict(list)
    for one in runs:
        grouped[one.world, one.scenario, one.rule].append(one)
    rules = [JUDGE, *RULES]
    order = sorted(
        grouped, key=lambda key: (list(PLAN).index(key[0]), list(SCENARIOS).index(key[1]), rules.index(key[2]))
    )
    return [cell(*key, grouped[key]) for key in order]


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


def table(found: list[dict[str, object]]) -> str:
    """The cells as Markdown, one table per world: share rolled back, median delay."""
    lines = []
    for world in dict.fromkeys(str(one["world"]) for one in found):
        here = [one for one in found if one["world"] == world]
        scenarios = list(dict.fromkeys(str(one["scenario"]) for one in here))
        lines += [f"\nWorld: {world}, {here[0]['runs']} runs a cell", "", "| rule | " + " | ".join(scenarios) + " |"]
        lines.append("|---" * (len(scenarios) + 1) + "|")
        for rule in dict.fromkeys(str(one["rule"]) for one in here):
            row = {str(one["scenario"]): one for one in here if one["rule"] == rule}
            lines.append(f"| {rule} | " + " | ".join(_shown(row.get(name)) for name in scenarios) + " |")
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
