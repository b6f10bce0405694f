"""Plans: the ordered phases of a rollout, with durations and the limits that decide about promotion and rollback.

Shares and changes are fractions (0.005 is 0.5 %), latencies milliseconds, durations hours.
"""

from __future__ import annotations

import math
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from flagconsole.domain.against_control import against_control
from flagconsole.domain.comparison import Comparison as Comparison
from flagconsole.domain.flag import Frozen, Percentage
from flagconsole.domain.group import Group
from flagconsole.domain.metric import STANDARD_METRICS, MetricKind, MetricName
from flagconsole.domain.names import FlagName, Label
from flagconsole.domain.plan_metric import ONE_NUMBER, PlanMetric, refuse_metric
from flagconsole.domain.quantity import exact_quantity
from flagconsole.domain.states import FlagState
from flagconsole.domain.urgency import Urgency, urgency_of


class Evidence(StrEnum):
    """What a rollback limit needs before it acts.

    ``statistical``: evidence that holds up however often it is looked at. ``threshold``: the plain comparison at every
    look, which rolls healthy canaries back as well.
    """

    STATISTICAL = "statistical"
    THRESHOLD = "threshold"


class MonitoringLevel(StrEnum):
    """How often a phase is looked at."""

    INTENSIVE = "intensive"
    STANDARD = "standard"
    MINIMAL = "minimal"

    @property
    def tick_seconds(self) -> int:
        """Seconds between two looks."""
        return _TICK_SECONDS[self]


_TICK_SECONDS = {MonitoringLevel.INTENSIVE: 30, MonitoringLevel.STANDARD: 60, MonitoringLevel.MINIMAL: 300}


class Criterion(Frozen):
    """One limit: ``error_rate <= 0.005``. In a phase's ``success`` it must hold, in its ``rollback`` it must not.

    ``kind`` is known for the standard metrics and has to be said for a custom one.
    """

    metric: MetricName
    comparison: Comparison
    value: float
    kind: MetricKind | None = None
    evidence: Evidence = Evidence.STATISTICAL

    @field_validator("value")
    @classmethod
    def _finite(cls, value: float) -> float:
        if not math.isfinite(value):
            raise ValueError("must be a finite number")
        return value

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        standard = STANDARD_METRICS.get(self.metric)
        if standard is None and self.kind is None:
            raise ValueError(f"{self.metric} is a custom metric: say its kind, one of {', '.join(MetricKind)}")
        if standard is not None and self.kind not in {None, standard}:
            raise ValueError(f"{self.metric} is a {standard}, not a {self.kind}")
        kind = self.metric_kind
        if kind is MetricKind.RATIO and not 0 <= self.value <= 1:
            raise ValueError(f"{self.metric} is a share: its limit must be between 0 and 1 (0.005 is 0.5 %)")
        if kind in {MetricKind.COUNT, MetricKind.LATENCY} and self.value < 0:
            raise ValueError(f"{self.metric} can't be negative, so its limit must be 0 or more")
        if kind is MetricKind.CHANGE and self.value < -1:
            raise ValueError(f"{self.metric} can't fall by more than 100 %, so its limit must be -1 or more")
        return self

    @property
    def metric_kind(self) -> MetricKind:
        """The kind, declared or standard."""
        return self.kind or STANDARD_METRICS[self.metric]

    @property
    def urgency(self) -> Urgency:
        """How urgent it is when this limit is violated."""
        return urgency_of(self.metric)

    @property
    def acts_on_one_number(self) -> bool:
        """Whether a rollback limit acts on the bare value: counts, as a policy, and what asks for the plain threshold."""
        return self.metric_kind is MetricKind.COUNT or self.evidence is Evidence.THRESHOLD

    def holds(self, value: float) -> bool:
        """Whether ``value`` satisfies the comparison. NaN satisfies nothing."""
        return self.comparison.holds(value, self.value)

    def describe(self) -> str:
        """The limit in a few characters, with its unit: ``error_rate <= 0.5 %``."""
        return f"{self.metric} {self.comparison} {exact_quantity(self.metric_kind, self.value)}"


Criteria = Annotated[tuple[Criterion, ...], Field(max_length=50)]


class PhaseKind(StrEnum):
    """What a phase does with the flag."""

    SHADOW = "shadow"
    CANARY = "canary"
    FULL = "full"
    CLEANUP = "cleanup"

    @property
    def state(self) -> FlagState:
        """The state that the flag has during the phase."""
        return _STATE_OF[self]

    @property
    def judged(self) -> Group:
        """The group that is under judgement during the phase."""
        return _JUDGED.get(self, Group.ON)


_JUDGED = {PhaseKind.SHADOW: Group.SHADOW, PhaseKind.CANARY: Group.CANARY}
_STATE_OF = {
    PhaseKind.SHADOW: FlagState.SHADOW,
    PhaseKind.CANARY: FlagState.CANARY,
    PhaseKind.FULL: FlagState.ON,
    PhaseKind.CLEANUP: FlagState.ON,
}


#: A difference of latencies that nobody notices, milliseconds: where operations take microseconds, a share of them says nothing.
MIN_DIFFERENCE_MS: Final = 1.0


class Phase(Frozen):
    """One phase. It can pass once it has had fresh data for ``min_hours``, with at least ``min_operations`` operations
    of at least ``min_tenants`` active tenants in the group that is judged. Latencies of the two groups that differ by less than
    ``min_difference_ms`` count as equal, whatever share of each other that is; 0 makes every difference count. ``look_seconds`` replaces the time between two
    looks that its monitoring level asks for, as in a demo whose phases last minutes."""

    name: Label
    kind: PhaseKind
    percentage: Percentage = 0
    min_hours: Annotated[float, Field(ge=0, le=24 * 365, allow_inf_nan=False)] = 0.0
    min_operations: Annotated[int, Field(ge=1, le=10**9)] = 500
    min_tenants: Annotated[int, Field(ge=1, le=10**6)] = 5
    min_difference_ms: Annotated[float, Field(ge=0, le=60_000, allow_inf_nan=False)] = MIN_DIFFERENCE_MS
    success: Criteria = ()
    rollback: Criteria = ()
    monitoring: MonitoringLevel = MonitoringLevel.INTENSIVE
    look_seconds: Annotated[int, Field(ge=5, le=3600)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.kind is PhaseKind.CANARY and not 0 < self.percentage < 100:
            raise ValueError(f"phase {self.name!r}: a canary needs a percentage between 1 and 99")
        if self.kind is PhaseKind.SHADOW and self.percentage:
            raise ValueError(f"phase {self.name!r}: shadow enables nobody, so its percentage must be 0")
        if self.kind in {PhaseKind.FULL, PhaseKind.CLEANUP} and self.percentage != 100:
            raise ValueError(f"phase {self.name!r}: {self.kind} means everyone, so its percentage must be 100")
        if self.kind is PhaseKind.CLEANUP and (self.success or self.rollback):
            raise ValueError(f"phase {self.name!r}: cleanup is not judged, so it has no criteria")
        _no_contradiction(self.name, self.success, self.rollback)
        return self

    @property
    def state_of_flag(self) -> FlagState:
        """The state that the flag has during this phase."""
        return self.kind.state

    @property
    def min_seconds(self) -> float:
        """The minimum duration in seconds."""
        return self.min_hours * 3600

    @property
    def tick_seconds(self) -> int:
        """Seconds between two looks."""
        return self.monitoring.tick_seconds if self.look_seconds is None else self.look_seconds

    @property
    def against_control(self) -> tuple[str, ...]:
        """What the phase is compared with its control for, beside its own limits; a line each, none without a control."""
        success = {limit.metric: limit.describe() for limit in self.success}
        return against_control(self.kind.value, success, self.min_difference_ms)

    def with_criteria(self, own: PhaseCriteria) -> Phase:
        """This phase with a flag's own criteria in place of its own; a list that ``own`` leaves out stays.

        Raises ``ValueError`` when the lists contradict each other.
        """
        return Phase.model_validate(
            self.model_dump()
            | {
                "success": self.success if own.success is None else own.success,
                "rollback": self.rollback if own.rollback is None else own.rollback,
            }
        )


def _no_contradiction(phase: str, success: Criteria, rollback: Criteria) -> None:
    for which, criteria in (("success", success), ("rollback", rollback)):
        seen: set[tuple[str, bool]] = set()
        for criterion in criteria:
            key = criterion.metric, criterion.comparison.upward
            if key in seen:
                raise ValueError(f"phase {phase!r}: {which} limits {criterion.metric} twice in the same direction")
            seen.add(key)
    for good in success:
        for bad in rollback:
            if good.metric != bad.metric or good.comparison.upward == bad.comparison.upward:
                continue
            if good.metric_kind is not bad.metric_kind:
                raise ValueError(f"phase {phase!r}: {good.metric} can't be both {good.kind} and {bad.kind}")
            overlap = good.value != bad.value and good.comparison.upward == (good.value < bad.value)
            if overlap or (good.holds(bad.value) and bad.holds(bad.value)):
                raise ValueError(f"phase {phase!r}: {good.describe()} and {bad.describe()} can both be true")


class PhaseCriteria(Frozen):
    """One flag's own criteria for one phase. A list that is null keeps the phase's."""

    success: Criteria | None = None
    rollback: Criteria | None = None


class FlagCriteria(Frozen):
    """One flag's own criteria, by phase name. They replace those of the plan's phases."""

    flag_name: FlagName
    phases: Annotated[dict[Label, PhaseCriteria], Field(max_length=50)]


class Plan(Frozen):
    """An ordered list of phases. ``auto_promote`` is off unless a plan turns it on; ``auto_rollback`` the other way.
    ``metrics`` names those that are measured elsewhere; all others are the store's own."""

    name: Label
    description: Annotated[str, Field(max_length=2000)] = ""
    auto_promote: bool = False
    auto_rollback: bool = True
    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=50)]
    metrics: Annotated[dict[MetricName, PlanMetric], Field(max_length=50)] = Field(default_factory=dict)

    @field_validator("phases")
    @classmethod
    def _in_order(cls, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
        names = [phase.name for phase in phases]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two phases are named {name!r}; names must differ")
        order = list(PhaseKind)
        for before, after in pairwise(phases):
            if order.index(after.kind) < order.index(before.kind) or after.percentage < before.percentage:
                raise ValueError(f"{after.name!r} can't follow {before.name!r}: exposure must not fall along a plan")
            if before.kind is after.kind is PhaseKind.CLEANUP:
                raise ValueError("a plan has one cleanup phase at most")
        return phases

    @model_validator(mode="after")
    def _measured_elsewhere(self) -> Self:
        for name, metric in self.metrics.items():
            refuse_metric(name, metric)
        for phase in self.phases:
            for criterion in (*phase.success, *phase.rollback):
                given = self.metrics.get(criterion.metric)
                if given is not None and given.kind not in {None, criterion.metric_kind}:
                    raise ValueError(
                        f"phase {phase.name!r}: {criterion.metric} is a {given.kind} in metrics, "
                        f"not a {criterion.metric_kind}"
                    )
            for criterion in phase.rollback:
                if criterion.metric in self.metrics and not criterion.acts_on_one_number:
                    raise ValueError(f"phase {phase.name!r}: {criterion.metric} {ONE_NUMBER}")
        return self

    def phase(self, name: str) -> Phase:
        """The phase of that name. Raises ``KeyError`` when there is none."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)

    def after(self, name: str) -> Phase | None:
        """The phase that follows ``name``, or None after the last. Raises ``KeyError`` when there is no such phase."""
        index = self.phases.index(self.phase(name)) + 1
        return self.phases[index] if index < len(self.phases) else None

    def for_flag(self, own: FlagCriteria) -> Plan:
        """This plan with a flag's own criteria. Raises ``ValueError`` for a phase that the plan doesn't have."""
        unknown = own.phases.keys() - {phase.name for phase in self.phases}
        if unknown:
            known = ", ".join(phase.name for phase in self.phases)
            raise ValueError(f"{own.flag_name}: there is no phase {min(unknown)!r}; the plan has {known}")
        phases = tuple(
            phase.with_criteria(own.phases[phase.name]) if phase.name in own.phases else phase for phase in self.phases
        )
        return Plan.model_validate({**dict(self), "phases": phases})
