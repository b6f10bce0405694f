"""Each criterion's part of a verdict."""

from __future__ import annotations

import math
from typing import Any

from flagconsole.domain import metric as names
from flagconsole.domain.judge.guards import Fired
from flagconsole.domain.judge.measurement import Measurement
from flagconsole.domain.judge.measures import Measures
from flagconsole.domain.judge.observation import Observation
from flagconsole.domain.judge.settings import JudgeSettings
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.plan import Criterion, Evidence, Phase
from flagconsole.domain.verdict import Contribution, CriterionResult, Purpose, VerdictKind

#: What a plan that asks for plain thresholds is told beside every verdict.
THRESHOLD_NOTE = (
    "plain threshold at every look, without a bound on false alarms: in simulated phases of 48 h it rolled back 45 % of "
    "healthy canaries on p95 (> +15 %), none on errors (> 2 %), but 50 % when an incident had hit everybody"
)
#: So many looks with a value beyond its limit, and none within it between them, are needed of what others measured.
RUN_OF_LOOKS = 5
_COLUMNS = {
    names.ERROR_RATE: "errors",
    names.SUCCESS_RATE: "errors",
    names.CRITICAL_ERRORS: "criticals",
    names.LATENCY_P95: "slow",
    names.LATENCY_P99: "slow",
    names.P95_REGRESSION: "slow",
}
#: Limits that the limit guards watch operation by operation; their intervals are shown but fire nothing.
_GUARDED = frozenset({names.ERROR_RATE, names.SUCCESS_RATE})


class Rulings:
    """Rules on the criteria of a phase. A violated rollback limit stays violated: it is remembered when it was."""

    def __init__(self, phase: Phase, measures: Measures, settings: JudgeSettings) -> None:
        self._phase = phase
        self._measures = measures
        self._confidence = settings.confidence
        self._shown = 1 - settings.confidence
        self._by_interval = [index for index, criterion in enumerate(phase.rollback) if _interval_decides(criterion)]
        self.budget = settings.interval_budget if self._by_interval else 0.0
        # One side of an interval can violate a limit.
        self._strict = 2 * settings.interval_budget / max(len(self._by_interval), 1)
        self._violated: dict[int, float] = {}
        self._runs: dict[int, int] = {}

    def advance(self, seen: Observation) -> None:
        """Remember which rollback limits are violated by this look."""
        for index, criterion in enumerate(self._phase.rollback):
            if index not in self._violated and self._violates(index, criterion, seen):
                self._violated[index] = seen.seconds

    def _run(self, index: int, criterion: Criterion, value: float) -> bool:
        """Count the looks in a row at which a value that others measured is beyond its limit. One that is missing neither
        counts nor ends the run: it is no good news."""
        self._runs[index] = self._runs.get(index, 0) + 1 if criterion.holds(value) else 0
        return self._runs[index] >= RUN_OF_LOOKS

    def _violates(self, index: int, criterion: Criterion, seen: Observation) -> bool:
        if criterion.metric_kind is MetricKind.COUNT:
            # A policy, not a statistic: so many are too many, whatever chance has to do with it.
            measured = self._measures.of(criterion, seen)
            return measured is not None and criterion.holds(measured.value)
        if criterion.evidence is Evidence.THRESHOLD:
            # Before the phase's minimum one error of three would be a rate of 33 %.
            if self._measures.operations(seen) < self._phase.min_operations:
                return False
            measured = self._measures.of(criterion, seen, recent=True)
            if measured is None:
                return False
            value = measured.value if measured.raw_value is None else measured.raw_value
            acting = self._acting(criterion, seen, measured)
            return self._run(index, criterion, value) if _elsewhere(criterion, seen) else acting.holds(value)
        if index not in self._by_interval:
            return False
        measured = self._measures.of(criterion, seen, rough=True)
        if measured is None:
            return False
        acting = self._acting(criterion, seen, measured)
        if not acting.holds(measured.value):
            return False
        measured = self._measures.of(criterion, seen)
        reach = None if measured is None else measured.reach(self._strict)
        return reach is not None and all(map(acting.holds, reach))

    def fired(self) -> list[Fired]:
        """The rollback limits that were violated, in the order in which they were."""
        found = []
        for index, at in self._violated.items():
            criterion = self._phase.rollback[index]
            if criterion.metric_kind is MetricKind.COUNT:
                why = "the limit is a policy and acts at once"
            elif criterion.evidence is Evidence.THRESHOLD:
                why = (
                    f"{RUN_OF_LOOKS} looks in a row" if index in self._runs else "the plan asks for the plain threshold"
                )
            else:
                why = "the whole interval is beyond the limit"
            found.append(Fired(f"limit {criterion.metric}", criterion.metric, at, f"{criterion.describe()}: {why}"))
        return sorted(found, key=lambda one: one.at)

    def results(self, seen: Observation, fired: list[Fired]) -> list[CriterionResult]:
        """The rulings on all criteria; ``fired`` are all tests that found something."""
        accused = {one.metric for one in fired}
        results = [self._success(criterion, seen) for criterion in self._phase.success]
        for index, criterion in enumerate(self._phase.rollback):
            results.append(self._rollback(index, criterion, seen, criterion.metric in accused))
        return results

    def beyond(self, criterion: Criterion, seen: Observation) -> bool:
        """Whether the estimate is outside a success limit, over the phase, lately, or unknown."""
        measured = (self._measures.of(criterion, seen), self._measures.of(criterion, seen, recent=True))
        known = [one for one in measured if one is not None]
        return not known or any(not self._acting(criterion, seen, one).holds(one.value) for one in known)

    def _success(self, criterion: Criterion, seen: Observation) -> CriterionResult:
        measured = self._measures.of(criterion, seen)
        if measured is None:
            outcome = VerdictKind.NO_DATA
        else:
            holds = self._acting(criterion, seen, measured).holds(measured.value)
            outcome = VerdictKind.PASS if holds else VerdictKind.INCONCLUSIVE
        return self._result(Purpose.SUCCESS, criterion, seen, measured, outcome)

    def _rollback(self, index: int, criterion: Criterion, seen: Observation, accused: bool) -> CriterionResult:
        threshold = criterion.evidence is Evidence.THRESHOLD and criterion.metric_kind is not MetricKind.COUNT
        measured = self._measures.of(criterion, seen, recent=threshold)
        reach = None if measured is None or threshold else measured.reach(self._shown)
        note = THRESHOLD_NOTE if threshold and not _elsewhere(criterion, seen) else ""
        acting = criterion if measured is None else self._acting(criterion, seen, measured)
        if index in self._violated or accused:
            outcome = VerdictKind.FAIL
        elif measured is None:
            outcome = VerdictKind.NO_DATA
        elif acting.holds(measured.value):
            outcome = VerdictKind.INCONCLUSIVE
            if reach is None and not threshold:
                note = (
                    "beyond the limit, but nothing says how certain that is: report its variance, or ask for threshold"
                )
        elif reach is not None and any(map(acting.holds, reach)):
            outcome = VerdictKind.INCONCLUSIVE
        elif reach is None and criterion.metric_kind in {MetricKind.RATIO, MetricKind.CHANGE} and not threshold:
            outcome = VerdictKind.INCONCLUSIVE
            note = "too few observations for an interval"
        else:
            outcome = VerdictKind.PASS
        return self._result(Purpose.ROLLBACK, criterion, seen, measured, outcome, note)

    def _result(
        self,
        purpose: Purpose,
        criterion: Criterion,
        seen: Observation,
        measured: Measurement | None,
        outcome: VerdictKind,
        note: str = "",
    ) -> CriterionResult:
        reach = None if measured is None else measured.reach(self._shown)
        negligible = measured is not None and self._negligible(criterion, seen, measured)
        if negligible and not note:
            note = f"less than {self._phase.min_difference_ms:g} ms apart, which counts as no difference"
        return CriterionResult(
            purpose=purpose,
            metric=criterion.metric,
            kind=criterion.metric_kind,
            comparison=criterion.comparison,
            limit=criterion.value,
            evidence=criterion.evidence,
            urgency=criterion.urgency,
            outcome=outcome,
            value=None if measured is None else measured.value,
            raw_value=None if measured is None else measured.raw_value,
            control_value=None if measured is None else measured.control_value,
            lower=None if reach is None else _shown(reach[0]),
            upper=None if reach is None else _shown(reach[1]),
            confidence=None if reach is None else self._confidence,
            operations=0 if measured is None else measured.operations,
            tenants=0 if measured is None else measured.tenants,
            top_tenants=() if _elsewhere(criterion, seen) else self.top_tenants(criterion.metric, seen),
            negligible=negligible,
            note=_said_elsewhere(criterion, seen) or note or _said_with(criterion, seen),
        )

    def _acting(self, criterion: Criterion, seen: Observation, measured: Measurement) -> Criterion:
        """The criterion as it acts: how much slower the canary is has to be a difference that somebody could notice."""
        least = self._least_regression(criterion, seen, measured)
        # Only where more than the limit is bad: of a success that small values satisfy, of a rollback that large ones do.
        if least is None or criterion.comparison.upward is (criterion in self._phase.success):
            return criterion
        return criterion.model_copy(update={"value": max(criterion.value, least)})

    def _negligible(self, criterion: Criterion, seen: Observation, measured: Measurement) -> bool:
        least = self._least_regression(criterion, seen, measured)
        return least is not None and abs(measured.value) < least

    def _least_regression(self, criterion: Criterion, seen: Observation, measured: Measurement) -> float | None:
        """The plan's least difference as a part of the control's p95; None of other metrics, and of what others measured,
        whose level nobody knows here."""
        if criterion.metric != names.P95_REGRESSION or _elsewhere(criterion, seen) or not measured.control_value:
            return None
        return self._phase.min_difference_ms / measured.control_value

    def top_tenants(self, metric: str, seen: Observation) -> tuple[Contribution, ...]:
        """The three tenants that contribute most to ``metric``; none for a metric that isn't counted per tenant."""
        column = _COLUMNS.get(metric)
        return () if column is None else self._measures.top_tenants(seen.whole_phase, column)

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        violated = {str(index): at for index, at in self._violated.items()}
        return violated | {f"run {index}": run for index, run in self._runs.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        runs = {name: run for name, run in state.items() if name.startswith("run ")}
        self._runs = {int(name.removeprefix("run ")): int(run) for name, run in runs.items()}
        self._violated = {int(index): float(at) for index, at in state.items() if index not in runs}


def _interval_decides(criterion: Criterion) -> bool:
    return (
        criterion.evidence is Evidence.STATISTICAL
        and criterion.metric_kind is not MetricKind.COUNT
        and criterion.metric not in _GUARDED
    )


def _elsewhere(criterion: Criterion, seen: Observation) -> bool:
    value = seen.metrics.get(criterion.metric)
    return value is not None and bool(value.source)


def _said_elsewhere(criterion: Criterion, seen: Observation) -> str:
    """Whose number it is, and what that means; or why there is none."""
    value = seen.metrics.get(criterion.metric)
    if value is None or not value.source:
        return ""
    if value.problem:
        return f"{value.source}: {value.problem}"
    said = f"measured by {value.source}: one number for each group, nothing of single tenants"
    if criterion.evidence is not Evidence.THRESHOLD:
        return said
    return f"{said}; {RUN_OF_LOOKS} looks in a row beyond the limit act, without a bound on false alarms"


def _said_with(criterion: Criterion, seen: Observation) -> str:
    value = seen.metrics.get(criterion.metric)
    return "" if value is None else value.note


def _shown(bound: float) -> float | None:
    return bound if math.isfinite(bound) else None
