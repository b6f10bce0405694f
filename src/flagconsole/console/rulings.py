"""A phase's criteria as one row for each metric: what passes, what fails, and what the judge last saw of it."""

from __future__ import annotations

from typing import NamedTuple

from flagconsole.console.figures import limit_text
from flagconsole.console.rollouts import LimitRow, RolloutRow
from flagconsole.console.verdicts import FAIL, INCONCLUSIVE, NO_DATA, OUTCOME_RANK, CriterionRow


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
    """The criteria of the rollout's phase, what fails first, then what isn't known, then what holds."""
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
    return sorted(found, key=lambda ruling: OUTCOME_RANK[ruling.outcome])


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
    """The metric to show where there is room for one: what fails, else what isn't known; the error rate of those that are
    alike. None where the phase has no criteria."""
    found = rulings(rollout)
    if not found:
        return None
    worst = [ruling for ruling in found if ruling.outcome == found[0].outcome]
    return next((ruling for ruling in worst if ruling.metric == "error_rate"), worst[0])


def _kind(limits: dict[str, LimitRow]) -> str:
    return next(iter(limits.values())).kind


def _limit(limit: LimitRow | None) -> str:
    return "" if limit is None else limit_text(limit.comparison, limit.limit, limit.kind)
