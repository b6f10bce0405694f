"""Verdicts: what the judge says of a phase now, and what it says it from."""

from __future__ import annotations

from enum import StrEnum

from flagconsole.domain.flag import Frozen
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.plan import Comparison, Evidence
from flagconsole.domain.urgency import Urgency


class VerdictKind(StrEnum):
    """The four things a verdict can say. Only ``pass`` promotes, only ``fail`` rolls back."""

    PASS = "pass"  # noqa: S105 - a word, not a secret
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"


class Purpose(StrEnum):
    """Which of a phase's lists a criterion is in."""

    SUCCESS = "success"
    ROLLBACK = "rollback"


class CohortBasis(StrEnum):
    """How the tenants under judgement came to be: drawn at random, chosen by hand, or all there are."""

    DRAWN = "drawn"
    HAND_PICKED = "hand_picked"
    EVERYONE = "everyone"


class Contribution(Frozen):
    """One tenant's part in what is wrong. ``expected`` is what its own baseline predicted, null where there is none."""

    tenant_id: str
    operations: int
    events: int
    expected: float | None = None


class CriterionResult(Frozen):
    """One criterion now. ``lower`` and ``upper`` bound the value with the confidence that ``confidence`` says, at all
    looks together; null where nothing can be said. ``raw_value`` is a change before the difference that the two groups
    already had in the baseline was taken out. ``negligible`` says that the groups' latencies differ by less than the plan's
    ``min_difference_ms``: then the value counts as no change."""

    purpose: Purpose
    metric: str
    kind: MetricKind
    comparison: Comparison
    limit: float
    evidence: Evidence
    urgency: Urgency
    outcome: VerdictKind
    value: float | None = None
    raw_value: float | None = None
    control_value: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float | None = None
    operations: int = 0
    tenants: int = 0
    top_tenants: tuple[Contribution, ...] = ()
    negligible: bool = False
    note: str = ""


class GuardResult(Frozen):
    """One test beside the criteria. ``budget`` is its share of the error budget, ``spent`` how much of that is gone,
    ``evidence`` how near it is to firing on a logarithmic scale (both 0 to 1); ``fired_at`` is in seconds since the phase
    began, null while it is quiet."""

    guard: str
    metric: str
    urgency: Urgency
    budget: float
    spent: float
    evidence: float
    fired_at: float | None = None
    note: str = ""


class Verdict(Frozen):
    """What the judge says of a phase at one look. ``budget_spent`` is the part of ``budget``, the chance of rolling a
    healthy canary back in the whole phase, that was used up so far (0 to 1); None where nothing is spent look by look, since
    no drawn cohort is compared with others. ``cohort_size`` counts the tenants under
    judgement, active or not, and ``by_chance`` those of them whom the draw's chance alone put there: null where the cohort
    wasn't drawn."""

    outcome: VerdictKind
    reason: str
    seconds: float
    failing_metric: str | None = None
    urgency: Urgency | None = None
    failed_at: float | None = None
    cohort: CohortBasis
    cohort_size: int = 0
    by_chance: int | None = None
    operations: int
    tenants: int
    data_age_seconds: float
    criteria: tuple[CriterionResult, ...] = ()
    guards: tuple[GuardResult, ...] = ()
    budget: float
    budget_spent: float | None
    notes: tuple[str, ...] = ()
