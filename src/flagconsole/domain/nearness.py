"""How near a criterion is to failing, so that of many the one that matters can be named."""

from __future__ import annotations

import math
from collections.abc import Iterable

from flagconsole.domain.metric import MetricKind
from flagconsole.domain.urgency import URGENCY_RANK
from flagconsole.domain.verdict import CriterionResult, Purpose, VerdictKind


def nearness(result: CriterionResult) -> float | None:
    """The value as a part of its rollback limit: 0 is far away, 1 is at it, more is beyond. None where nothing was measured.

    Where small values are bad, what is missing is compared instead: the failures of a success rate.
    """
    value, limit = result.value, result.limit
    if value is None or math.isnan(value):
        return None
    if result.negligible:
        return 0.0
    if not result.comparison.upward:
        if result.kind is MetricKind.RATIO:
            value, limit = 1.0 - value, 1.0 - limit
        elif limit > 0:
            return limit / value if value > 0 else math.inf
        else:
            value, limit = -value, -limit
    if limit > 0:
        return max(0.0, value / limit)
    return 1.0 if value >= limit else 0.0


def nearest_to_failing(results: Iterable[CriterionResult]) -> CriterionResult | None:
    """The rollback criterion that fails, by urgency, else the one that is nearest to it. Of a phase without measured ones
    the first success criterion that doesn't hold. None where nothing can be said."""
    known = tuple(results)
    measured = [one for one in known if one.purpose is Purpose.ROLLBACK and nearness(one) is not None]
    if measured:
        return max(measured, key=_alarm)
    success = (one for one in known if one.purpose is Purpose.SUCCESS and one.value is not None)
    return next((one for one in success if one.outcome is not VerdictKind.PASS), None)


def _alarm(result: CriterionResult) -> tuple[bool, int, float]:
    fails = result.outcome is VerdictKind.FAIL
    return fails, URGENCY_RANK[result.urgency] if fails else 0, nearness(result) or 0.0
