"""What the console knows of the playbooks: what each would do and how long it takes, shown before one begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from flagconsole.console.json_values import number
from flagconsole.console.rows import Json

#: The mildest first.
ORDER: Final = ("gradual", "immediate", "kill_switch")


class PlannedStep(NamedTuple):
    """One step before it is done; the estimate is in minutes."""

    name: str
    title: str
    kind: str
    when: str
    estimate: float


class PlaybookRow(NamedTuple):
    """A playbook; totals are minutes, by flag where one's own differs."""

    name: str
    description: str
    total: float
    totals: Mapping[str, float]
    steps: tuple[PlannedStep, ...]
    points: tuple[str, ...]

    def estimate_for(self, flag_name: str) -> float:
        """How long it takes for this flag, minutes."""
        return self.totals.get(flag_name, self.total)


def playbook_row(data: Json) -> PlaybookRow:
    """The row of a playbook as the API spells it."""
    return PlaybookRow(
        str(data["name"]),
        str(data.get("description") or ""),
        number(data.get("total_minutes")) or 0.0,
        {str(name): number(value) or 0.0 for name, value in (data.get("totals") or {}).items()},
        tuple(
            PlannedStep(
                str(step.get("name") or ""),
                str(step.get("title") or ""),
                str(step.get("kind") or ""),
                str(step.get("when") or ""),
                number(step.get("estimate_minutes")) or 0.0,
            )
            for step in data.get("steps") or ()
        ),
        tuple(map(str, data.get("verifications") or ())),
    )
