"""Whether it got better after the exposure was halved: a stricter question than whether it is bad.

A rollback that stops halfway needs evidence that what failed is over; not having enough data to accuse anybody is none. So
every criterion of a metric that had failed must pass with its whole interval, and the rest must be within limits by its
estimate. Metrics that people answer come too slowly to be waited for: silence on one that hadn't failed is no obstacle.
"""

from __future__ import annotations

from collections.abc import Iterable

from flagconsole.domain import metric as names
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.verdict import CriterionResult, GuardResult, Purpose, Verdict, VerdictKind

#: Measured with every operation, so that there is an answer as soon as there are operations.
_BY_OPERATION = frozenset(
    {
        names.ERROR_RATE,
        names.SUCCESS_RATE,
        names.CRITICAL_ERRORS,
        names.LATENCY_P95,
        names.LATENCY_P99,
        names.P95_REGRESSION,
    }
)
#: Metrics that tell of the same thing: where one had failed, each of them that the plan limits must be proven.
_FAMILIES = (
    frozenset({names.ERROR_RATE, names.SUCCESS_RATE}),
    frozenset({names.LATENCY_P95, names.LATENCY_P99, names.P95_REGRESSION}),
)


def failed_metrics(criteria: Iterable[CriterionResult], guards: Iterable[GuardResult]) -> frozenset[str]:
    """The metrics that a verdict failed for."""
    failed = {one.metric for one in criteria if one.outcome is VerdictKind.FAIL}
    return frozenset(failed | {guard.metric for guard in guards if guard.fired_at is not None})


def improvement(seen: Verdict, failed: frozenset[str]) -> tuple[VerdictKind, str]:
    """``pass`` where it improved, with the reason; ``seen`` is the judge's verdict on what was measured since, ``failed`` the
    metrics that the rollback is about: none where that isn't known, and then all that operations tell must be proven."""
    if seen.outcome in {VerdictKind.FAIL, VerdictKind.NO_DATA}:
        return seen.outcome, seen.reason
    if not seen.criteria:
        return VerdictKind.INCONCLUSIVE, "the phase has no criteria that could be met again"
    limited = {one.metric for one in seen.criteria}
    missing = sorted(metric for metric in failed if not _family(metric) & limited)
    if missing:
        return VerdictKind.INCONCLUSIVE, f"nothing limits {', '.join(missing)}, so nothing shows that it is over"
    proven = limited & (frozenset().union(*map(_family, failed)) if failed else _BY_OPERATION)
    if not proven:
        return VerdictKind.INCONCLUSIVE, "nothing that operations tell is limited, so nothing shows that it is over"
    unmeasured = {one.metric for one in seen.criteria if one.value is None}
    silent = sorted(unmeasured & (proven | _BY_OPERATION))
    if silent:
        return VerdictKind.NO_DATA, f"no data for {', '.join(silent)}"
    open_ones = sorted({one.metric for one in seen.criteria if not _met(one, one.metric in proven)})
    if open_ones:
        return VerdictKind.INCONCLUSIVE, f"not yet within limits beyond doubt: {', '.join(open_ones)}"
    return VerdictKind.PASS, f"back within limits: {', '.join(sorted(proven))}"


def _family(metric: str) -> frozenset[str]:
    return next((family for family in _FAMILIES if metric in family), frozenset({metric}))


def _met(one: CriterionResult, proven: bool) -> bool:
    if one.value is None:
        return True
    if proven and one.kind is not MetricKind.COUNT:
        # The outcome heeds the least difference that counts, with the whole interval; an estimate below it may be chance.
        return one.outcome is VerdictKind.PASS
    if one.negligible:
        return True
    holds = one.comparison.holds(one.value, one.limit)
    return holds if one.purpose is Purpose.SUCCESS else not holds
