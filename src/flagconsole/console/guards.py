"""What a flag's row says of its rollout: the phase it is in, what the judge says, its error rate beside the limit."""

from __future__ import annotations

from typing import NamedTuple

from flagconsole.console.ages import ago
from flagconsole.console.attention import KILLED_RANK, Problem
from flagconsole.console.figures import (
    NOTHING,
    OUTCOME_ROLE,
    OUTCOME_SIGN,
    OUTCOME_WORD,
    UNKNOWN,
    limit_text,
    value_text,
)
from flagconsole.console.rollouts import LimitRow, RolloutRow
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import Span, span
from flagconsole.console.verdicts import CriterionRow
from flagconsole.domain.states import FlagState


class ErrorRate(NamedTuple):
    """A phase's error rate as the judge saw it, and the limit above which it rolls back; None where not known."""

    value: float | None
    limit: LimitRow | None

    @property
    def text(self) -> str:
        """In per cent."""
        return value_text(self.value, "ratio")

    @property
    def limit_text(self) -> str:
        """``>2.00``, or a dash."""
        return NOTHING if self.limit is None else limit_text(self.limit.comparison, self.limit.limit, self.limit.kind)

    @property
    def over(self) -> bool:
        """Whether the value alone is beyond the limit; what the judge makes of that is another matter."""
        return self.value is not None and self.limit is not None and self.value > self.limit.limit


def error_rate(rollout: RolloutRow | None) -> ErrorRate:
    """The error rate of a rollout's phase."""
    if rollout is None or not rollout.active or rollout.current is None:
        return ErrorRate(None, None)
    limits = [limit for limit in rollout.current.limits if limit.metric == "error_rate"]
    limit = next((item for item in limits if item.purpose == "rollback"), next(iter(limits), None))
    seen: list[CriterionRow] = [] if rollout.judged is None else list(rollout.judged.criteria)
    values = [row.value for row in seen if row.metric == "error_rate" and row.value is not None]
    return ErrorRate(values[0] if values else None, limit)


def phase_span(
    row: FlagRow, rollout: RolloutRow | None, now: float, *, short: bool = False, missing: bool = False
) -> Span:
    """Where a flag is in its rollout: ``canary 10 2/4``, with ``‖`` where it is held; when it was killed; else a dash.
    ``missing`` says that rollouts aren't known."""
    if row.state is FlagState.KILL:
        return span("" if row.last is None else f"killed {ago(now - row.last.at)}", "state_kill")
    if missing:
        return span(UNKNOWN, "faint")
    if rollout is None or not rollout.active:
        return span(NOTHING, "faint")
    if rollout.status == "rolling_back":
        return span("rolling back", "danger")
    count = sum(phase.kind != "cleanup" for phase in rollout.phases)
    held = rollout.progression_paused or rollout.exposure_frozen
    place = "" if short else f" {rollout.position + 1}/{count}"
    return span(f"{'‖ ' if held else ''}{rollout.phase}{place}", "warning" if held else "plain")


def guard_span(problem: Problem | None, rollout: RolloutRow | None, missing: str = "") -> Span:
    """What needs attention, else what the judge says; by a sign and a word. ``missing`` says why rollouts aren't known: no
    verdict of before stands for one of now, and none at all not for "there is none"."""
    if problem is not None and problem.rank < KILLED_RANK:
        # The column has ten cells: of a longer word the sign gives way, not its end.
        return span(f"{problem.sign} {problem.word}" if len(problem.word) <= 8 else problem.word, problem.role)
    if missing:
        return span(missing, "muted")
    if rollout is None or not rollout.active:
        return span(NOTHING, "faint")
    if rollout.judged is None:
        return span("○ not yet", "muted")
    kind = rollout.judged.shown
    return span(f"{OUTCOME_SIGN[kind]} {OUTCOME_WORD[kind]}", OUTCOME_ROLE[kind])
