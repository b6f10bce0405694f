"""The figures of the default plan, and the criteria of the two flags that have their own."""

from __future__ import annotations

from typing import Final

from flagconsole.domain import metric
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.plan import (
    Comparison,
    Criteria,
    Criterion,
    FlagCriteria,
    MonitoringLevel,
    Phase,
    PhaseCriteria,
    PhaseKind,
    Plan,
)


def _success(
    success_rate: float, error_rate: float, p95_regression: float, csat: float | None, tickets: float | None
) -> Criteria:
    criteria = [
        Criterion(metric=metric.SUCCESS_RATE, comparison=Comparison.AT_LEAST, value=success_rate),
        Criterion(metric=metric.ERROR_RATE, comparison=Comparison.AT_MOST, value=error_rate),
        Criterion(metric=metric.P95_REGRESSION, comparison=Comparison.AT_MOST, value=p95_regression),
    ]
    if csat is not None:
        criteria.append(Criterion(metric=metric.CSAT, comparison=Comparison.AT_LEAST, value=csat))
    if tickets is not None:
        criteria.append(Criterion(metric=metric.TICKET_INCREASE, comparison=Comparison.AT_MOST, value=tickets))
    return tuple(criteria)


def _rollback(
    error_rate: float, p95_regression: float, criticals: int, csat: float | None, tickets: float | None
) -> Criteria:
    criteria = [
        Criterion(metric=metric.ERROR_RATE, comparison=Comparison.ABOVE, value=error_rate),
        Criterion(metric=metric.P95_REGRESSION, comparison=Comparison.ABOVE, value=p95_regression),
        Criterion(metric=metric.CRITICAL_ERRORS, comparison=Comparison.AT_LEAST, value=criticals),
    ]
    if csat is not None:
        criteria.append(Criterion(metric=metric.CSAT, comparison=Comparison.BELOW, value=csat))
    if tickets is not None:
        criteria.append(Criterion(metric=metric.TICKET_INCREASE, comparison=Comparison.ABOVE, value=tickets))
    return tuple(criteria)


DEFAULT_PLAN: Final = Plan(
    name="default",
    description="Shadow for a day, then 10 %, 50 % and everyone, over twelve days at least.",
    phases=(
        Phase(
            name="shadow",
            kind=PhaseKind.SHADOW,
            min_hours=24,
            success=_success(0.98, 0.01, 0.05, None, None),
            rollback=_rollback(0.05, 0.20, 1, None, None),
        ),
        Phase(
            name="canary 10",
            kind=PhaseKind.CANARY,
            percentage=10,
            min_hours=48,
            success=_success(0.99, 0.005, 0.03, 0.95, 0.10),
            rollback=_rollback(0.02, 0.15, 2, 0.85, 0.25),
        ),
        Phase(
            name="canary 50",
            kind=PhaseKind.CANARY,
            percentage=50,
            min_hours=72,
            success=_success(0.995, 0.003, 0.02, 0.96, 0.05),
            rollback=_rollback(0.01, 0.10, 3, 0.88, 0.20),
            monitoring=MonitoringLevel.STANDARD,
        ),
        Phase(
            name="full",
            kind=PhaseKind.FULL,
            percentage=100,
            min_hours=168,
            success=_success(0.999, 0.001, 0.01, 0.97, None),
            rollback=_rollback(0.005, 0.08, 5, 0.90, None),
            monitoring=MonitoringLevel.STANDARD,
        ),
        Phase(name="cleanup", kind=PhaseKind.CLEANUP, percentage=100, monitoring=MonitoringLevel.MINIMAL),
    ),
)


def _limit(name: str, comparison: Comparison, value: float, kind: MetricKind | None = None) -> Criterion:
    return Criterion(metric=name, comparison=comparison, value=value, kind=kind)


INVOICES_WRITE: Final = FlagCriteria(
    flag_name="invoices.write",
    phases={
        "canary 10": PhaseCriteria(
            success=(
                _limit(metric.SUCCESS_RATE, Comparison.AT_LEAST, 0.99),
                _limit(metric.ERROR_RATE, Comparison.AT_MOST, 0.005),
                _limit(metric.LATENCY_P95, Comparison.AT_MOST, 800),
                _limit(metric.CSAT, Comparison.AT_LEAST, 0.95),
                _limit(metric.TICKET_INCREASE, Comparison.AT_MOST, 0.10),
            ),
            rollback=(
                _limit(metric.SUCCESS_RATE, Comparison.BELOW, 0.95),
                _limit(metric.ERROR_RATE, Comparison.ABOVE, 0.02),
                _limit(metric.LATENCY_P95, Comparison.ABOVE, 2000),
                _limit(metric.CRITICAL_ERRORS, Comparison.AT_LEAST, 2),
                _limit(metric.CSAT, Comparison.BELOW, 0.85),
                _limit(metric.TICKET_INCREASE, Comparison.ABOVE, 0.25),
            ),
        ),
        "canary 50": PhaseCriteria(
            success=(
                _limit(metric.SUCCESS_RATE, Comparison.AT_LEAST, 0.995),
                _limit(metric.ERROR_RATE, Comparison.AT_MOST, 0.003),
                _limit(metric.LATENCY_P95, Comparison.AT_MOST, 700),
                _limit(metric.CSAT, Comparison.AT_LEAST, 0.96),
                _limit(metric.TICKET_INCREASE, Comparison.AT_MOST, 0.05),
            ),
        ),
    },
)

ESTIMATES_AI_PRICING: Final = FlagCriteria(
    flag_name="estimates.ai_pricing",
    phases={
        "canary 10": PhaseCriteria(
            success=(
                _limit("suggestion_accuracy", Comparison.AT_LEAST, 0.85, MetricKind.RATIO),
                _limit("user_acceptance", Comparison.AT_LEAST, 0.70, MetricKind.RATIO),
                _limit("pricing_variance", Comparison.AT_MOST, 0.15, MetricKind.GAUGE),
                _limit("adoption", Comparison.AT_LEAST, 0.40, MetricKind.RATIO),
                _limit("revenue_impact", Comparison.AT_LEAST, 0.0, MetricKind.CHANGE),
            ),
            rollback=(
                _limit("suggestion_accuracy", Comparison.BELOW, 0.60, MetricKind.RATIO),
                _limit("user_acceptance", Comparison.BELOW, 0.30, MetricKind.RATIO),
                _limit("pricing_variance", Comparison.ABOVE, 0.30, MetricKind.GAUGE),
                _limit("revenue_impact", Comparison.BELOW, -0.05, MetricKind.CHANGE),
                _limit("ai_service_error_rate", Comparison.ABOVE, 0.05, MetricKind.RATIO),
            ),
        ),
    },
)
