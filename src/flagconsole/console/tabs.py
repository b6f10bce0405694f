"""The tabs of the flag detail: their order, and the row that names them."""

from __future__ import annotations

from enum import Enum

from flagconsole.console.line import Line, joined, line, line_width
from flagconsole.console.safe import span


class Tab(Enum):
    """What a tab is called, in full and where room is short."""

    RULES = ("Rules", "Rules")
    COHORT = ("Cohort", "Cohort")
    OVERRIDES = ("Overrides", "Overr")
    DEPENDENTS = ("Dependents", "Deps")
    INSTANCES = ("Instances", "Inst")
    VERSIONS = ("Versions", "Vers")
    JSON = ("JSON", "JSON")
    TEST = ("Test a tenant", "Test")

    def __init__(self, title: str, short: str) -> None:
        self.title = title
        self.short = short

    @property
    def number(self) -> int:
        """The digit that opens it."""
        return list(Tab).index(self) + 1


def tab_line(current: Tab, counts: dict[Tab, int], width: int) -> Line:
    """The tabs with their digits; the open one in brackets, a count behind those that have one."""
    long = joined([_part(tab, tab.title, current, counts) for tab in Tab])
    row = (
        long if line_width(long) + 1 <= width else joined([_part(tab, tab.short, current, counts) for tab in Tab], " ")
    )
    return line(" ", *row)


def _part(tab: Tab, title: str, current: Tab, counts: dict[Tab, int]) -> Line:
    count = f" {counts[tab]}" if counts.get(tab) else ""
    if tab is current:
        return line(span(f"[{tab.number} {title}{count}]", "strong"))
    return line(span(tab.number, "key"), span(f" {title}{count}", "muted"))
