"""What does a look of the judge cost, with 500, 5,000 and 50,000 tenants, and how does it decide beside the rules it competes with?

A look is a whole one at the end of a canary of 48 h: reading the store, the verdict, the state to keep. The decisions are those of the whole
experiment (`python -m bench judge_experiment`), which takes hours: they are kept with their own date, and shown here for the main world.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bench.judge_cells import JUDGE
from bench.judge_kept import Kept, kept_cells
from bench.judge_look import HOURS, look_times
from bench.rounds import Measured
from bench.table import OURS, Table

#: Tenants, and the milliseconds that a look may take.
BUDGETS = {500: 50.0, 5_000: 200.0, 50_000: 1_000.0}
QUICK_HOURS = 4
#: What the table of the specification asks for: the scenario, the least share that is found, the most minutes until then.
ASKED = (
    ("errors to 1 %", 1.0, 58.0),
    ("errors to 3 %", 1.0, 6.0),
    ("p95 +10 %", 0.92, 5.2 * 60),
    ("p95 +50 %", 1.0, 5.0),
    ("errors to 3 % after 24 h", 0.99, 27.0),
    ("criticals x20", 0.94, 10.4 * 60),
    ("one tenant at 50 %", 0.61, 11.6 * 60),
)
#: Where the competing rules are shown as well. A rule that rolls healthy canaries back is quick everywhere.
COMPARED = ("healthy", "errors to 1 %")
#: Of healthy canaries at most this share may be rolled back.
HEALTHY = 0.01


def looks(table: Table, sizes: dict[int, float], hours: int) -> None:
    """How long looks take."""
    with tempfile.TemporaryDirectory() as folder:
        for size, budget in sizes.items():
            found = look_times(size, Path(folder), hours)
            for name, about in (("median_ms", "a look"), ("slowest_ms", "the slowest of twelve looks")):
                table.add(f"{about}, {size:,} tenants", OURS, Measured(float(found[name] or 0), 0.0, 1), "ms")
            if found["restart_ms"] is not None:
                table.add(
                    f"the first look after a restart, {size:,} tenants",
                    OURS,
                    Measured(found["restart_ms"], 0.0, 1),
                    "ms",
                )
            table.goal(f"a look, {size:,} tenants", table.found(f"a look, {size:,} tenants", OURS), budget, "ms")


def decisions(table: Table, kept: Kept) -> None:
    """How it decided, beside the others."""
    table.notes.append(
        f"The decisions were measured on {kept.date}, of commit {kept.commit}, {kept.cells[0]['runs']} runs a cell; "
        "all cells and their intervals are in [the judge's page](judge.md)."
    )
    rules = list(dict.fromkeys(str(one["rule"]) for one in kept.cells if one["world"] == "main"))
    for scenario in ("healthy", *(name for name, _, _ in ASKED)):
        for rule in rules if scenario in COMPARED else [JUDGE]:
            who = OURS if rule == JUDGE else rule
            cell = kept.cell(scenario, rule)
            if cell is None:
                continue
            share = Measured(100 * float(cell["rolled_back"]), 0.0, 1)
            if scenario == "healthy":
                table.add("healthy canaries rolled back", who, share, "%")
                continue
            table.add(f"{scenario}: found", who, share, "%", "high")
            if cell["median_delay_s"] is not None:
                table.add(f"{scenario}: median delay", who, Measured(float(cell["median_delay_s"]) / 60, 0.0, 1), "min")
    _judge(table, kept)


def _judge(table: Table, kept: Kept) -> None:
    healthy: dict[str, Any] = kept.cell("healthy", JUDGE) or {}
    table.goal("healthy canaries rolled back", _percent(healthy), 100 * HEALTHY, "%")
    for scenario, share, minutes in ASKED:
        cell = kept.cell(scenario, JUDGE) or {}
        table.goal(f"{scenario}: found", _percent(cell), 100 * share, "%", "high")
        delay = cell.get("median_delay_s")
        table.goal(
            f"{scenario}: median delay", None if delay is None else float(delay) / 60, minutes, "min", why=_SLOWER
        )


def _percent(cell: dict[str, Any]) -> float | None:
    return None if "rolled_back" not in cell else 100 * float(cell["rolled_back"])


_SLOWER = (
    "asked for is the prototype's delay; where that was weak this is better: p95 by 10 % after 87 min instead of 5.2 h, one broken tenant "
    "found in 98 % after 25 min instead of in 61 % after 11.6 h"
)


def measured(sizes: dict[int, float], hours: int) -> Table:
    """The table."""
    table = Table("judge", (__doc__ or "").partition("\n\n")[2].strip())
    looks(table, sizes, hours)
    kept = kept_cells()
    if kept is None:
        table.notes.append("no decisions are kept: python -m bench judge_experiment --report FILE --keep COMMIT")
    else:
        decisions(table, kept)
    return table


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run; a quick one looks at 500 and 5,000 tenants after 4 h."""
    return measured({500: 50.0, 5_000: 200.0}, QUICK_HOURS) if quick else measured(BUDGETS, HOURS)
