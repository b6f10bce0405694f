"""What a phase is compared with its control for, beside its plan's limits: the judge's guards, for sheets and dashboards."""

from __future__ import annotations

from flagconsole.console.figures import unit_of, value_text
from flagconsole.console.rollouts import PhaseRow
from flagconsole.domain.against_control import in_short


def compared(phase: PhaseRow | None) -> str:
    """The comparisons in one row of text; empty where there is no control."""
    if phase is None:
        return ""
    limits = {
        limit.metric: f"{value_text(limit.limit, limit.kind)} {unit_of(limit.kind)}"
        for limit in phase.limits
        if limit.purpose == "success"
    }
    return in_short(phase.kind, limits, phase.min_difference_ms)
