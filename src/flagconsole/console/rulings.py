"""A phase's criteria as one row for each metric: what passes, what fails, and what the judge last saw of it."""

from __future__ import annotations

from typing import Final, NamedTuple

from flagconsole.console.figures import limit_text
from flagconsole.console.nearing import NEAR
from flagconsole.console.rollouts import LimitRow, RolloutRow
from flagconsole.console.verdicts import FAIL, INCONCLUSIVE, NO_DATA, OUTCOME_RANK, CriterionRow
from flagconsole.domain.urgency import URGENCY_RANK, urgency_of

#: The shares of the way to a limit that tell whether one metric is nearer to failing than another. In steps, so that rows and
#: charts stay in their places while values move a little.
_STEPS: Final = (1.0, NEAR, 1 / 3)


class Ruling(NamedTuple):
    """One metric of the phase. ``seen`` is what the judge saw, None before its first look; ``passes`` and ``fails`` are the
    two limits, either may be missing."""

    metric: str
    kind: str
    outcome: str
    seen: CriterionRow | None
    passes: LimitRow | None
    fails: LimitRow | None

    @property
    def pass_text(self) -> str:
        """When it passes: ``≤0.50``."""
        return _limit(self.passes)

    @property
    def fail_text(self) -> str:
        """When it fails: ``>2.00``."""
        return _limit(self.fails)


def rulings(rollout: RolloutRow) -> list[Ruling]:
    """The criteria of the rollout's phase: what fails, then by how near it is to failing. Of those that are alike the error rate
    comes first, then what isn't known, then what the judge still waits for."""
    phase = rollout.current
    if phase is None:
        return []
    limits: dict[str, dict[str, LimitRow]] = {}
    for limit in phase.limits:
        limits.setdefault(limit.metric, {}).setdefault(limit.purpose, limit)
    seen: dict[str, dict[str, CriterionRow]] = {}
    if rollout.judged is not None:
        for row in rollout.judged.criteria:
            seen.setdefault(row.metric, {}).setdefault(row.purpose, row)
    found = [_ruling(metric, known, seen.get(metric, {})) for metric, known in limits.items()]
    return sorted(found, key=_order)


def _order(ruling: Ruling) -> tuple[int, int, bool, int]:
    fails = ruling.outcome == FAIL
    first = -URGENCY_RANK[urgency_of(ruling.metric)] if fails else 0
    share = _way_to_limit(ruling)
    near = sum(share < step for step in _STEPS)
    return first, near, ruling.metric != "error_rate", OUTCOME_RANK[ruling.outcome]


def _way_to_limit(ruling: Ruling) -> float:
    """How much of the way to its limit a value has gone: 1 at the limit and beyond it, 0 where nobody knows."""
    value, limit = None if ruling.seen is None else ruling.seen.value, ruling.fails or ruling.passes
    if value is None or limit is None:
        return 0.0
    # A rollback limit is what is broken, a success limit what holds.
    above = limit.comparison.startswith(">") is (limit is ruling.fails)
    if above:
        return max(0.0, value / limit.limit) if limit.limit > 0 else float(value > limit.limit)
    if limit.kind == "ratio" and 0 < limit.limit < 1:
        return max(0.0, (1 - value) / (1 - limit.limit))
    return float(value <= limit.limit)


def _ruling(metric: str, limits: dict[str, LimitRow], seen: dict[str, CriterionRow]) -> Ruling:
    good, bad = seen.get("success"), seen.get("rollback")
    if bad is not None and bad.outcome == FAIL:
        outcome, shown = FAIL, bad
    elif good is not None:
        outcome, shown = good.outcome, good
    elif bad is not None:
        outcome, shown = bad.outcome, bad
    else:
        # The judge hasn't looked, or said nothing of this metric: that is no verdict, and no pass.
        return Ruling(
            metric,
            _kind(limits),
            INCONCLUSIVE if not seen else NO_DATA,
            None,
            limits.get("success"),
            limits.get("rollback"),
        )
    kind = shown.kind or _kind(limits)
    return Ruling(metric, kind, outcome, shown, limits.get("success"), limits.get("rollback"))


def nearest_to_failing(rollout: RolloutRow) -> Ruling | None:
    """The metric to show where there is room for one; None where the phase has no criteria."""
    return next(iter(rulings(rollout)), None)


def _kind(limits: dict[str, LimitRow]) -> str:
    return next(iter(limits.values())).kind


def _limit(limit: LimitRow | None) -> str:
    return "" if limit is None else limit_text(limit.comparison, limit.limit, limit.kind)
