"""What the console knows of each rollout and of what the judge said: light rows read from the API's JSON.

Like ``rows``: no pydantic, and what is missing or strange gives the harmless value. An outcome that can't be read is
``no_data``, never ``pass``; a number that isn't finite wasn't measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final, NamedTuple

from flagconsole.console.rows import Json, seconds_of
from flagconsole.domain.urgency import URGENCY_RANK, Urgency, urgency_of

PASS, FAIL, INCONCLUSIVE, NO_DATA = "pass", "fail", "inconclusive", "no_data"
_OUTCOMES: Final = {PASS, FAIL, INCONCLUSIVE, NO_DATA}
#: What is read first: the worst.
OUTCOME_RANK: Final = {FAIL: 0, NO_DATA: 1, INCONCLUSIVE: 2, PASS: 3}
_ACTIVE: Final = {"running", "rolling_back"}
#: The playbook that each urgency asks for, as the controller has it.
PLAYBOOK_OF: Final = {Urgency.CRITICAL: "kill_switch", Urgency.HIGH: "immediate", Urgency.MEDIUM: "gradual"}


class LimitRow(NamedTuple):
    """One limit of a phase. ``success`` ones must hold to promote, ``rollback`` ones must not."""

    purpose: str
    metric: str
    kind: str
    comparison: str
    limit: float


class PhaseRow(NamedTuple):
    """One phase of a plan; durations in seconds."""

    name: str
    kind: str
    percentage: int
    min_seconds: float
    tick_seconds: float
    limits: tuple[LimitRow, ...] = ()


class TenantShare(NamedTuple):
    """One tenant's part in what is wrong; ``expected`` is what its own past predicted, None where there is none."""

    tenant_id: str
    operations: int
    events: int
    expected: float | None


class CriterionRow(NamedTuple):
    """One criterion as the judge saw it; None is what wasn't measured. ``raw`` is a change before the groups' difference in
    the baseline was taken out."""

    purpose: str
    metric: str
    kind: str
    comparison: str
    limit: float
    outcome: str
    value: float | None = None
    raw: float | None = None
    control: float | None = None
    lower: float | None = None
    upper: float | None = None
    confidence: float | None = None
    operations: int = 0
    tenants: int = 0
    top_tenants: tuple[TenantShare, ...] = ()
    evidence: str = ""
    note: str = ""


class GuardRow(NamedTuple):
    """One test beside the criteria; ``evidence`` is how near it is to firing, 0 to 1."""

    guard: str
    metric: str
    evidence: float
    spent: float
    fired: bool
    note: str


class VerdictRow(NamedTuple):
    """One look of the judge. ``number`` is 0 where it isn't known; times are seconds since the epoch, ages seconds."""

    number: int
    rollout_id: str
    flag_name: str
    phase: str
    at: float
    kind: str
    urgency: str
    because: str
    data_age: float | None
    criteria: tuple[CriterionRow, ...] = ()
    guards: tuple[GuardRow, ...] = ()
    notes: tuple[str, ...] = ()
    cohort: str = ""
    operations: int | None = None
    tenants: int | None = None
    budget: float | None = None
    budget_spent: float | None = None

    @property
    def playbook(self) -> str:
        """The playbook that its urgency asks for; empty where nothing fails."""
        if self.kind != FAIL:
            return ""
        return PLAYBOOK_OF.get(_urgency(self.urgency) or Urgency.HIGH, "immediate")

    @property
    def failing(self) -> CriterionRow | None:
        """The criterion that fails and asks for the most; None where none does."""
        failing = [row for row in self.criteria if row.outcome == FAIL]
        return max(failing, key=lambda row: URGENCY_RANK[urgency_of(row.metric)], default=None)


class RolloutRow(NamedTuple):
    """One run of a plan for one flag. ``fresh_seconds`` is how long the phase has run on fresh data, as of ``looked_at``."""

    rollout_id: str
    flag_name: str
    plan: str
    auto_promote: bool
    auto_rollback: bool
    phases: tuple[PhaseRow, ...]
    phase: str
    status: str
    progression_paused: bool
    exposure_frozen: bool
    pause_reason: str
    started_at: float
    started_by: str
    phase_started_at: float
    fresh_seconds: float
    looked_at: float | None
    expected_version: int
    verdict: VerdictRow | None
    ended_at: float | None
    end_reason: str

    @property
    def active(self) -> bool:
        """Whether it is under way."""
        return self.status in _ACTIVE

    @property
    def position(self) -> int:
        """The place of its phase in the plan, from 0; -1 where the plan has no such phase."""
        return next((index for index, phase in enumerate(self.phases) if phase.name == self.phase), -1)

    @property
    def current(self) -> PhaseRow | None:
        """The phase that runs."""
        return self.phases[self.position] if self.position >= 0 else None

    @property
    def following(self) -> PhaseRow | None:
        """The phase that it could be promoted to; None after the last that exposes anybody."""
        after = self.phases[self.position + 1 : self.position + 2] if self.position >= 0 else ()
        return after[0] if after and after[0].kind != "cleanup" else None

    @property
    def judged(self) -> VerdictRow | None:
        """The newest verdict on the phase that runs."""
        return self.verdict if self.verdict is not None and self.verdict.phase == self.phase else None

    @property
    def enough(self) -> bool:
        """Whether the phase has run its minimum on fresh data."""
        return self.current is not None and self.fresh_seconds >= self.current.min_seconds

    @property
    def first_canary_is_next(self) -> bool:
        """Whether a promotion would be the flag's first canary in this rollout, before which the checklist is ticked."""
        following = self.following
        return following is not None and following.kind == "canary"


class StepRow(NamedTuple):
    """Something that happened to a rollout."""

    step: str
    at: float
    by: str
    note: str


class TickRow(NamedTuple):
    """One item of the pre-canary checklist; ``by`` is empty while nobody has ticked it."""

    item: str
    by: str
    at: float | None


class RolloutStory(NamedTuple):
    """What is known of a rollout beside its row: its steps, oldest first, and the flag's checklist."""

    rollout_id: str
    steps: tuple[StepRow, ...] = ()
    checklist: tuple[TickRow, ...] = ()

    @property
    def unticked(self) -> tuple[str, ...]:
        """What is still to be ticked."""
        return tuple(tick.item for tick in self.checklist if not tick.by)


def rollout_row(data: Json) -> RolloutRow:
    """The row of a rollout as the API spells it."""
    plan = _object(data.get("plan"))
    verdict = data.get("verdict")
    started = seconds_of(data.get("started_at")) or 0.0
    return RolloutRow(
        str(data["rollout_id"]),
        str(data["flag_name"]),
        str(plan.get("name") or ""),
        plan.get("auto_promote") is True,
        plan.get("auto_rollback") is True,
        tuple(map(_phase_row, _objects(plan.get("phases")))),
        str(data.get("phase") or ""),
        str(data.get("status") or ""),
        data.get("progression_paused") is True,
        data.get("exposure_frozen") is True,
        str(data.get("pause_reason") or ""),
        started,
        str(data.get("started_by") or ""),
        seconds_of(data.get("phase_started_at")) or started,
        number(data.get("fresh_seconds")) or 0.0,
        seconds_of(data.get("looked_at")),
        whole(data.get("expected_version")),
        verdict_row(verdict) if isinstance(verdict, Mapping) else None,
        seconds_of(data.get("ended_at")),
        str(data.get("end_reason") or ""),
    )


def verdict_row(data: Json, verdict_id: int = 0) -> VerdictRow:
    """The row of a stored verdict as the API spells it."""
    return VerdictRow(
        verdict_id,
        str(data.get("rollout_id") or ""),
        str(data["flag_name"]),
        str(data.get("phase") or ""),
        seconds_of(data.get("at")) or 0.0,
        _outcome(data.get("kind")),
        str(data.get("urgency") or ""),
        str(data.get("because") or ""),
        number(data.get("data_age_seconds")),
        tuple(map(_criterion_row, _objects(data.get("findings")))),
        tuple(map(_guard_row, _objects(data.get("guards")))),
        tuple(str(note) for note in _list(data.get("notes"))),
        str(data.get("cohort") or ""),
        _whole_or_none(data.get("operations")),
        _whole_or_none(data.get("tenants")),
        number(data.get("budget")),
        number(data.get("budget_spent")),
    )


def numbered_verdict(data: Json) -> VerdictRow:
    """The row of a look with its number, as it comes in pages and events."""
    return verdict_row(_object(data["verdict"]), whole(data.get("verdict_id")))


def story_of(data: Json) -> RolloutStory:
    """The story in ``GET /api/flags/{name}/rollout``."""
    steps = tuple(
        StepRow(
            str(item.get("step") or ""),
            seconds_of(item.get("at")) or 0.0,
            str(item.get("by") or ""),
            str(item.get("note") or ""),
        )
        for item in _objects(data.get("steps"))
    )
    ticks = tuple(
        TickRow(str(item.get("item") or ""), str(item.get("ticked_by") or ""), seconds_of(item.get("ticked_at")))
        for item in _objects(_object(data.get("checklist")).get("items"))
    )
    rollout = _object(data.get("rollout"))
    return RolloutStory(str(rollout.get("rollout_id") or ""), steps, ticks)


def failing_since(verdicts: Sequence[VerdictRow], metric: str) -> float | None:
    """Since when ``metric`` fails without a break in ``verdicts`` (newest first); None where it doesn't fail now."""
    since = None
    for verdict in verdicts:
        if not any(row.metric == metric and row.outcome == FAIL for row in verdict.criteria):
            break
        since = verdict.at
    return since


def number(value: object) -> float | None:
    """``value`` as a number that can be shown and drawn; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def whole(value: object) -> int:
    """``value`` as a whole number, 0 for all else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _whole_or_none(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _phase_row(data: Json) -> PhaseRow:
    ticks = {"intensive": 30.0, "standard": 60.0, "minimal": 300.0}
    limits = [_limit_row(item, purpose) for purpose in ("success", "rollback") for item in _objects(data.get(purpose))]
    return PhaseRow(
        str(data.get("name") or ""),
        str(data.get("kind") or ""),
        whole(data.get("percentage")),
        (number(data.get("min_hours")) or 0.0) * 3600,
        number(data.get("look_seconds")) or ticks.get(str(data.get("monitoring")), 60.0),
        tuple(limits),
    )


def _limit_row(data: Json, purpose: str) -> LimitRow:
    metric = str(data.get("metric") or "")
    kind = str(data.get("kind") or kind_of(metric))
    return LimitRow(purpose, metric, kind, str(data.get("comparison") or ""), number(data.get("value")) or 0.0)


#: The kinds of the standard metrics, for plans, which needn't say them.
_KINDS: Final = {
    "success_rate": "ratio",
    "error_rate": "ratio",
    "critical_errors": "count",
    "latency_p95": "latency",
    "latency_p99": "latency",
    "p95_regression": "change",
    "csat": "ratio",
    "ticket_increase": "change",
    "conversion_rate": "ratio",
}


def kind_of(metric: str) -> str:
    """The kind of a standard metric; a custom one counts as a gauge unless its plan says what it is."""
    return _KINDS.get(metric, "gauge")


def _criterion_row(data: Json) -> CriterionRow:
    return CriterionRow(
        str(data.get("purpose") or ""),
        str(data.get("metric") or ""),
        str(data.get("kind") or ""),
        str(data.get("comparison") or ""),
        number(data.get("limit")) or 0.0,
        _outcome(data.get("outcome")),
        number(data.get("value")),
        number(data.get("raw_value")),
        number(data.get("control_value")),
        number(data.get("lower")),
        number(data.get("upper")),
        number(data.get("confidence")),
        whole(data.get("operations")),
        whole(data.get("tenants")),
        tuple(map(_share, _objects(data.get("top_tenants")))),
        str(data.get("evidence") or ""),
        str(data.get("note") or ""),
    )


def _share(data: Json) -> TenantShare:
    return TenantShare(
        str(data.get("tenant_id") or ""),
        whole(data.get("operations")),
        whole(data.get("events")),
        number(data.get("expected")),
    )


def _guard_row(data: Json) -> GuardRow:
    return GuardRow(
        str(data.get("guard") or ""),
        str(data.get("metric") or ""),
        number(data.get("evidence")) or 0.0,
        number(data.get("spent")) or 0.0,
        number(data.get("fired_at")) is not None,
        str(data.get("note") or ""),
    )


def _outcome(value: object) -> str:
    return value if isinstance(value, str) and value in _OUTCOMES else NO_DATA


def _urgency(value: str) -> Urgency | None:
    return Urgency(value) if value in set(Urgency) else None


def _object(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _objects(value: object) -> list[Json]:
    return [item for item in _list(value) if isinstance(item, Mapping)]
