"""What shadow executions say of a flag: numbers over a window, how ready the feature is, and what stands in its way.

What wasn't measured is null, never zero. Shares are fractions, times milliseconds. Names of fields, tenants and errors, and
samples, were written by services: a terminal shows them through ``safe_text`` only.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime

from flagconsole.domain.execution_type import EffectKind, ExecutionType
from flagconsole.domain.flag import Frozen
from flagconsole.domain.states import FlagState


class BaselineSource(StrEnum):
    """Where the time comes from that shadow work is measured against. ``compared``: the old way, run beside it. ``measured``: the
    operations that services measured under the flag in this window while they went the old way."""

    COMPARED = "compared"
    MEASURED = "measured"


class ScorePart(Frozen):
    """One part of the readiness score: ``points`` are ``weight`` times ``value``, and 0 where ``value`` wasn't measured."""

    value: float | None
    weight: float
    points: float


class ReadinessScore(Frozen):
    """0.5 · success + 0.3 · consistency + 0.2 · (1 − min(errors / 10, 1)). Null without executions."""

    score: float | None
    success: ScorePart
    consistency: ScorePart
    errors: ScorePart


class Readiness(Frozen):
    """Whether the feature is ready for a step, and each reason against it."""

    ready: bool
    reasons: tuple[str, ...]


class BlockingIssue(Frozen):
    """Something that has to be mended first. ``code`` is stable, ``message`` is for people."""

    code: str
    message: str


class FieldMismatch(Frozen):
    """One way in which old and new differed in one field. ``rate`` is of compared executions."""

    field: str
    kind: str
    times: int
    rate: float | None
    old_sample: str | None
    new_sample: str | None


class TenantShadow(Frozen):
    """One tenant's executions. An empty ``tenant_id`` stands for those beyond the bound of what is kept by name."""

    tenant_id: str
    executions: int
    errors: int
    compared: int
    mismatches: int
    mismatch_rate: float | None


class ErrorShadow(Frozen):
    """One kind of error: the exception's class and where it came from."""

    error: str
    source: str
    times: int


class ValidationShadow(Frozen):
    """How often one validation passed and failed."""

    name: str
    passed: int
    failed: int


class InvalidIntent(Frozen):
    """One kind of invalid UI intent, and what is wrong with it."""

    intent: str
    problem: str
    times: int


class DependencyShadow(Frozen):
    """One dependency of the flag: validated when it is a flag that is on, or a validation of its name passed and never
    failed. ``state`` is null for an external one."""

    name: str
    state: FlagState | None
    validated: bool


class ShadowReport(Frozen):
    """``GET /api/flags/{name}/shadow-report``: the window from ``since`` to ``until``.

    ``newest_at`` is the end of the newest bucket there is, and ``age_seconds`` how long ago that was; null where nothing was
    ever executed. ``skipped`` requests were left out by the budget. ``tenants`` holds the worst, of ``tenant_count``.
    """

    flag_name: str
    current_state: FlagState
    now: AwareDatetime
    since: AwareDatetime
    until: AwareDatetime
    newest_at: AwareDatetime | None
    age_seconds: float | None
    executions: int
    by_type: dict[ExecutionType, int]
    skipped: int
    mean_ms: float | None
    baseline_ms: float | None
    baseline_source: BaselineSource | None
    time_ratio: float | None
    success_rate: float | None
    errors: int
    error_rate: float | None
    intents: int
    intents_per_execution: float | None
    invalid_intents: int
    effects: dict[EffectKind, int]
    effects_avoided: int
    compared: int
    consistency: float | None
    mismatch_rate: float | None
    readiness: ReadinessScore
    ready_for_canary: Readiness
    ready_for_production: Readiness
    blocking_issues: tuple[BlockingIssue, ...]
    recommendations: tuple[str, ...]
    fields: tuple[FieldMismatch, ...]
    tenant_count: int
    tenants: tuple[TenantShadow, ...]
    failures: tuple[ErrorShadow, ...]
    validations: tuple[ValidationShadow, ...]
    bad_intents: tuple[InvalidIntent, ...]
    dependencies: tuple[DependencyShadow, ...]
