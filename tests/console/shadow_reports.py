"""Shadow reports as a server answers them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flagconsole.domain.execution_type import EffectKind, ExecutionType
from flagconsole.domain.shadow_report import (
    BaselineSource,
    BlockingIssue,
    DependencyShadow,
    ErrorShadow,
    FieldMismatch,
    InvalidIntent,
    Readiness,
    ReadinessScore,
    ScorePart,
    ShadowReport,
    TenantShadow,
    ValidationShadow,
)
from flagconsole.domain.states import FlagState

NOW = datetime(2026, 3, 14, 3, 7, 31, tzinfo=UTC)


def no_executions(flag_name: str) -> ShadowReport:
    """Nothing was executed yet."""
    nothing = ScorePart(value=None, weight=0.5, points=0.0)
    not_ready = Readiness(ready=False, reasons=("nothing was executed",))
    values: dict[str, Any] = dict.fromkeys(ShadowReport.model_fields)
    values |= dict.fromkeys(
        (
            "executions",
            "skipped",
            "errors",
            "intents",
            "invalid_intents",
            "effects_avoided",
            "compared",
            "tenant_count",
        ),
        0,
    )
    values |= dict.fromkeys(
        (
            "blocking_issues",
            "recommendations",
            "fields",
            "tenants",
            "failures",
            "validations",
            "bad_intents",
            "dependencies",
        ),
        (),
    )
    return ShadowReport(
        **values
        | {
            "flag_name": flag_name,
            "current_state": FlagState.SHADOW,
            "now": NOW,
            "since": NOW - timedelta(days=1),
            "until": NOW,
            "by_type": {},
            "effects": {},
            "readiness": ReadinessScore(score=None, success=nothing, consistency=nothing, errors=nothing),
            "ready_for_canary": not_ready,
            "ready_for_production": not_ready,
        }
    )


def with_mismatches(flag_name: str, text: str = "") -> ShadowReport:
    """A day of executions with differences; ``text`` replaces what services wrote."""
    return no_executions(flag_name).model_copy(
        update={
            "newest_at": NOW - timedelta(seconds=12),
            "age_seconds": 12.0,
            "executions": 18_204,
            "by_type": {ExecutionType.DRY_RUN: 17_004, ExecutionType.UI_INTENTS: 1200},
            "skipped": 40,
            "mean_ms": 12.4,
            "baseline_ms": 11.8,
            "baseline_source": BaselineSource.COMPARED,
            "time_ratio": 1.05,
            "success_rate": 0.9921,
            "errors": 91,
            "error_rate": 0.005,
            "intents": 1310,
            "intents_per_execution": 1.09,
            "invalid_intents": 3,
            "effects": {EffectKind.DATABASE: 17_000, EffectKind.HTTP: 40},
            "effects_avoided": 17_040,
            "compared": 16_000,
            "consistency": 0.971,
            "mismatch_rate": 0.029,
            "readiness": ReadinessScore(
                score=0.79,
                success=ScorePart(value=0.9921, weight=0.5, points=0.496),
                consistency=ScorePart(value=0.971, weight=0.3, points=0.291),
                errors=ScorePart(value=0.0, weight=0.2, points=0.0),
            ),
            "ready_for_canary": Readiness(ready=True, reasons=()),
            "ready_for_production": Readiness(ready=False, reasons=("3 of 1310 UI intents are invalid",)),
            "blocking_issues": (BlockingIssue(code="invalid_intents", message=text or "3 of 1310 UI intents are invalid"),),
            "recommendations": (text or "Look at total.tax, where old and new differ most often.",),
            "fields": (
                FieldMismatch(field=text or "total.tax", kind="value", times=401, rate=0.025,
                              old_sample=text or "19.00", new_sample=text or "18.99"),
            ),
            "tenant_count": 212,
            "tenants": (
                TenantShadow(tenant_id=text or "tenant-0007", executions=300, errors=40, compared=280, mismatches=91,
                             mismatch_rate=0.325),
            ),
            "failures": (ErrorShadow(error=text or "KeyError", source=text or "pricing.tax", times=91),),
            "validations": (ValidationShadow(name=text or "total is positive", passed=17_000, failed=4),),
            "bad_intents": (InvalidIntent(intent=text or "show_modal", problem=text or "modal without id", times=3),),
            "dependencies": (DependencyShadow(name=text or "email.send", state=None, validated=False),),
        }
    )  # fmt: skip
