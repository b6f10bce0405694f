"""What the console knows of the judge's looks: light rows read from the API's JSON.

An outcome that can't be read is ``no_data``, never ``pass``; a number that isn't finite wasn't measured.
"""

# Annotations are evaluated here: as text, each field of a row would be compiled once more, a millisecond of the first paint.

from collections.abc import Sequence
from typing import Final, NamedTuple

from flagconsole.console.json_values import list_of, number, object_of, objects_of, whole, whole_or_none
from flagconsole.console.rows import Json, seconds_of
from flagconsole.domain.comparison import Comparison
from flagconsole.domain.urgency import URGENCY_RANK, Urgency, urgency_of

PASS, FAIL, INCONCLUSIVE, NO_DATA = "pass", "fail", "inconclusive", "no_data"
_OUTCOMES: Final = {PASS, FAIL, INCONCLUSIVE, NO_DATA}
#: What is read first: the worst.
OUTCOME_RANK: Final = {FAIL: 0, NO_DATA: 1, INCONCLUSIVE: 2, PASS: 3}
#: Data that is no older than so many seconds still comes.
COMING: Final = 60.0
#: The playbook that each urgency asks for, as the controller has it.
PLAYBOOK_OF: Final = {Urgency.CRITICAL: "kill_switch", Urgency.HIGH: "immediate", Urgency.MEDIUM: "gradual"}


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

    @property
    def beyond(self) -> bool:
        """Whether the value itself breaks the limit. What fails without that is worse than its control."""
        if self.value is None or self.comparison not in set(Comparison):
            return False
        return Comparison(self.comparison).holds(self.value, self.limit) is (self.purpose != "success")


class GuardRow(NamedTuple):
    """One test beside the criteria; ``evidence`` is how near it is to firing, 0 to 1."""

    guard: str
    metric: str
    evidence: float
    spent: float
    fired: bool
    note: str


class VerdictRow(NamedTuple):
    """One look of the judge. ``number`` is 0 where it isn't known; times are seconds since the epoch, ages seconds.
    ``watched_since`` is set where a rollback's watch looked at those who kept the feature."""

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
    cohort_size: int | None = None
    by_chance: int | None = None
    operations: int | None = None
    tenants: int | None = None
    budget: float | None = None
    budget_spent: float | None = None
    watched_since: float | None = None

    @property
    def shown(self) -> str:
        """The outcome as it is shown: that there is no data is said only where none comes. What comes, and isn't enough to judge
        by yet, is waited for."""
        comes = bool(self.operations) and self.data_age is not None and self.data_age <= COMING
        return INCONCLUSIVE if self.kind == NO_DATA and comes else self.kind

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
        tuple(map(_criterion_row, objects_of(data.get("findings")))),
        tuple(map(_guard_row, objects_of(data.get("guards")))),
        tuple(str(note) for note in list_of(data.get("notes"))),
        str(data.get("cohort") or ""),
        whole_or_none(data.get("cohort_size")),
        whole_or_none(data.get("by_chance")),
        whole_or_none(data.get("operations")),
        whole_or_none(data.get("tenants")),
        number(data.get("budget")),
        number(data.get("budget_spent")),
        seconds_of(data.get("watched_since")),
    )


def numbered_verdict(data: Json) -> VerdictRow:
    """The row of a look with its number, as it comes in pages and events."""
    return verdict_row(object_of(data["verdict"]), whole(data.get("verdict_id")))


def failing_since(verdicts: Sequence[VerdictRow], metric: str, *, beyond: bool = False) -> float | None:
    """Since when ``metric`` fails without a break in ``verdicts`` (newest first), and only where it is ``beyond`` its limit; None
    where it doesn't fail now."""
    since = None
    for verdict in verdicts:
        if verdict.watched_since is not None:
            continue  # of half the tenants, beside the phase's own looks
        failing = (row for row in verdict.criteria if row.metric == metric and row.outcome == FAIL)
        if not any(row.beyond or not beyond for row in failing):
            break
        since = verdict.at
    return since


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
        tuple(map(_share, objects_of(data.get("top_tenants")))),
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
