"""What the console knows of each rollout: light rows read from the API's JSON.

Like ``rows``: no pydantic, and what is missing or strange gives the harmless value.
"""

# Annotations are evaluated here: as text, each field of a row would be compiled once more, a millisecond of the first paint.

from collections.abc import Mapping
from typing import Final, NamedTuple

from flagconsole.console.json_values import number, object_of, objects_of, whole
from flagconsole.console.rows import FlagRow, Json, seconds_of
from flagconsole.console.verdicts import VerdictRow, verdict_row

#: The status of one that was taken back.
_ROLLED_BACK: Final = "rolled_back"
_ACTIVE: Final = {"running", "rolling_back"}


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
    min_difference_ms: float = 1.0


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
    until_promoted: bool = False

    @property
    def held_by_server(self) -> bool:
        """Whether the server holds it until a person promotes it: something is missing for the next phase."""
        return self.progression_paused and self.until_promoted

    @property
    def active(self) -> bool:
        """Whether it is under way."""
        return self.status in _ACTIVE

    def took_effect_at(self, flag: FlagRow | None) -> float | None:
        """When its end took effect: of a rollback when the flag was changed, which the list and the history say too. The playbook may
        have verified for some time after that, and only then is the rollout over. None while it is under way."""
        last = flag.last if flag is not None and self.status == _ROLLED_BACK else None
        if self.ended_at is None or last is None or last.tenant_id is not None:
            return self.ended_at
        return min(last.at, self.ended_at)

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
    """One item of the pre-canary checklist; ``by`` is empty while nobody has ticked it. What is ``known`` to the store needs
    nobody's word."""

    item: str
    by: str
    at: float | None
    known: bool = False

    @property
    def missing(self) -> bool:
        """Whether a canary has to wait for somebody's word."""
        return not self.known and not self.by


class RolloutStory(NamedTuple):
    """What is known of a rollout beside its row: its steps, oldest first, and the flag's checklist."""

    rollout_id: str
    steps: tuple[StepRow, ...] = ()
    checklist: tuple[TickRow, ...] = ()

    @property
    def unticked(self) -> tuple[str, ...]:
        """What is still to be ticked."""
        return tuple(tick.item for tick in self.checklist if tick.missing)


def rollout_row(data: Json) -> RolloutRow:
    """The row of a rollout as the API spells it."""
    plan = object_of(data.get("plan"))
    verdict = data.get("verdict")
    started = seconds_of(data.get("started_at")) or 0.0
    return RolloutRow(
        str(data["rollout_id"]),
        str(data["flag_name"]),
        str(plan.get("name") or ""),
        plan.get("auto_promote") is True,
        plan.get("auto_rollback") is True,
        tuple(map(_phase_row, objects_of(plan.get("phases")))),
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
        data.get("until_promoted") is True,
    )


def story_of(data: Json) -> RolloutStory:
    """The story in ``GET /api/flags/{name}/rollout``."""
    steps = tuple(
        StepRow(
            str(item.get("step") or ""),
            seconds_of(item.get("at")) or 0.0,
            str(item.get("by") or ""),
            str(item.get("note") or ""),
        )
        for item in objects_of(data.get("steps"))
    )
    ticks = tuple(
        TickRow(
            str(item.get("item") or ""),
            str(item.get("ticked_by") or ""),
            seconds_of(item.get("ticked_at")),
            item.get("known") is True,
        )
        for item in objects_of(object_of(data.get("checklist")).get("items"))
    )
    rollout = object_of(data.get("rollout"))
    return RolloutStory(str(rollout.get("rollout_id") or ""), steps, ticks)


def _phase_row(data: Json) -> PhaseRow:
    ticks = {"intensive": 30.0, "standard": 60.0, "minimal": 300.0}
    limits = [
        _limit_row(item, purpose) for purpose in ("success", "rollback") for item in objects_of(data.get(purpose))
    ]
    return PhaseRow(
        str(data.get("name") or ""),
        str(data.get("kind") or ""),
        whole(data.get("percentage")),
        (number(data.get("min_hours")) or 0.0) * 3600,
        number(data.get("look_seconds")) or ticks.get(str(data.get("monitoring")), 60.0),
        tuple(limits),
        1.0 if (least := number(data.get("min_difference_ms"))) is None else least,
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
