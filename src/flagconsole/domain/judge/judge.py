"""The judge of one phase: takes in looks, keeps its state, says its verdict."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np

from flagconsole.domain import metric as names
from flagconsole.domain.duration import duration_text, part_of
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.judge.assignment import Assignment
from flagconsole.domain.judge.baseline import Baseline, Rate
from flagconsole.domain.judge.guards import METRIC_OF_COLUMN, Fired, Guards
from flagconsole.domain.judge.measures import Measures
from flagconsole.domain.judge.observation import Counts, Observation
from flagconsole.domain.judge.packed import pack, unpack
from flagconsole.domain.judge.rank_budget import RankBudget, Scores, Window, schedule
from flagconsole.domain.judge.redraws import Redraws
from flagconsole.domain.judge.rulings import Rulings
from flagconsole.domain.judge.score import critical_surplus, surplus
from flagconsole.domain.judge.settings import JudgeSettings
from flagconsole.domain.plan import Phase
from flagconsole.domain.urgency import URGENCY_RANK, urgency_of
from flagconsole.domain.verdict import CohortBasis, GuardResult, Verdict, VerdictKind

STATE_VERSION = 1
RANK_TEST = "rank budget"
#: After a look without data, or none where one was due, so many looks (and this many seconds of lateness each) must have been
#: without a gap before anything passes: a source that comes and goes is no source.
STEADY_LOOKS = 5
LATE_SECONDS = 5.0
#: For so many looks' time from a phase's beginning there can be none yet: what isn't there then isn't missing.
BEGINNING_LOOKS = 2
#: Scores of tenants without a baseline: how much rates of tenants differ anyway.
UNKNOWN_DRIFT = 1.0


class Judge:
    """Judges one phase of one rollout.

    The same assignment, phase, settings and baseline with the same observations give the same verdicts, also when the
    judge was saved and restored in between. Looks may be missed; one that is repeated, or late, changes nothing.
    """

    def __init__(
        self,
        assignment: Assignment,
        phase: Phase,
        settings: JudgeSettings | None = None,
        baseline: Baseline | None = None,
    ) -> None:
        self.assignment = assignment
        self.phase = phase
        self.settings = settings or JudgeSettings.for_phase(phase)
        if baseline is not None:
            baseline.first_half.checked(assignment.size, "baseline.first_half")
            baseline.second_half.checked(assignment.size, "baseline.second_half")
        self._rates = (
            {} if baseline is None else {n: r for n in METRIC_OF_COLUMN if (r := baseline.rate(n)) is not None}
        )
        self._has_baseline = bool(self._rates)
        self._guards = Guards(assignment, phase, self.settings, baseline)
        self._rulings = Rulings(phase, Measures(assignment, baseline), self.settings)
        self._ranks: RankBudget | None = None
        if assignment.basis is CohortBasis.DRAWN and assignment.by_chance.any():
            redraws = Redraws(assignment, self.settings.cohorts)
            self._ranks = RankBudget(redraws, schedule(self.settings), assignment.seed("ties"))
        self._last_seconds = -math.inf
        self._confirmed_at: float | None = None
        self._looked_at: float | None = None
        self._gap_at: float | None = None
        self._had_data = False
        zeros = np.zeros(assignment.size)
        self._totals = Counts(zeros, zeros, zeros, zeros)

    def advance(self, seen: Observation) -> bool:
        """Take in a look and say whether anything failed so far. Stale looks, and those not later than the last one, are
        not taken in. Raises ``InvalidInput`` for counts that don't fit the assignment or aren't counts."""
        seen.checked(self.assignment.size)
        if seen.seconds > self._last_seconds and not self._stale(seen):
            since_last = _difference(seen.whole_phase, self._totals)
            self._last_seconds = seen.seconds
            self._totals = seen.whole_phase
            self._guards.advance(seen, since_last)
            self._rulings.advance(seen)
            if self._ranks is not None:
                self._ranks.spend(seen.seconds, lambda window: self._scores(seen, window))
                if self._ranks.accused_at is not None and self._confirmed_at is None and self._is_worse(seen):
                    self._confirmed_at = seen.seconds
        return bool(self.fired())

    def look(self, seen: Observation) -> Verdict:
        """Take in a look and give the verdict. Raises as ``advance`` does."""
        self.advance(seen)
        fired = self.fired()
        criteria = self._rulings.results(seen, fired)
        self._notice_gap(seen, any(one.outcome is VerdictKind.NO_DATA for one in criteria))
        operations = seen.whole_phase.operations[self.assignment.canary]
        total, active = int(operations.sum()), int((operations > 0).sum())
        outcome, reason = self._outcome(seen, fired, [(one.outcome, one.metric) for one in criteria], total, active)
        worst = max(fired, key=lambda one: (URGENCY_RANK[urgency_of(one.metric)], -one.at), default=None)
        ranks_budget = self.settings.rank_budget if self._ranks is not None else 0.0
        ranks_spent = 0.0 if self._ranks is None else self._ranks.share_spent
        beside = self._guards.budget + self._rulings.budget
        budget = ranks_budget + beside
        return Verdict(
            outcome=outcome,
            reason=reason,
            seconds=seen.seconds,
            failing_metric=None if worst is None else worst.metric,
            urgency=None if worst is None else urgency_of(worst.metric),
            failed_at=min((one.at for one in fired), default=None),
            cohort=self.assignment.basis,
            cohort_size=int(self.assignment.canary.sum()),
            by_chance=self.assignment.drawn_by_chance,
            operations=total,
            tenants=active,
            data_age_seconds=seen.data_age_seconds,
            criteria=tuple(criteria),
            guards=tuple(self._guard_results()),
            budget=budget,
            budget_spent=None if self._ranks is None else (ranks_budget * ranks_spent + beside) / budget,
            notes=tuple(self._notes()),
        )

    def _outcome(
        self,
        seen: Observation,
        fired: list[Fired],
        rulings: list[tuple[VerdictKind, str]],
        operations: int,
        tenants: int,
    ) -> tuple[VerdictKind, str]:
        phase = self.phase
        if fired:
            worst = max(fired, key=lambda one: (URGENCY_RANK[urgency_of(one.metric)], -one.at))
            return VerdictKind.FAIL, f"{worst.metric}: {worst.why}"
        if self._stale(seen):
            return VerdictKind.NO_DATA, _staleness(seen.data_age_seconds)
        if operations < phase.min_operations:
            return VerdictKind.NO_DATA, f"{operations} of {phase.min_operations} operations"
        if tenants < phase.min_tenants:
            return VerdictKind.NO_DATA, f"{tenants} of {phase.min_tenants} active tenants"
        # Also true when either is NaN: unknown is never "long enough".
        if not seen.judged_seconds >= phase.min_seconds:
            return (
                VerdictKind.INCONCLUSIVE,
                f"{part_of(seen.judged_seconds, phase.min_seconds)} with fresh data",
            )
        missing = sorted({metric for outcome, metric in rulings if outcome is VerdictKind.NO_DATA})
        if missing:
            return VerdictKind.INCONCLUSIVE, f"no data for {', '.join(missing)}"
        open_ones = sorted({metric for outcome, metric in rulings if outcome is not VerdictKind.PASS})
        if open_ones:
            return VerdictKind.INCONCLUSIVE, f"not yet within limits beyond doubt: {', '.join(open_ones)}"
        if not phase.success:
            return VerdictKind.INCONCLUSIVE, "the phase has no success criteria, so nothing can pass"
        left = self._looks_until_steady(seen)
        if left:
            return (
                VerdictKind.INCONCLUSIVE,
                f"data was missing {duration_text(round(seen.seconds - (self._gap_at or 0.0)))} ago: {left} more "
                + ("look without a gap is needed" if left == 1 else "looks without a gap are needed"),
            )
        return VerdictKind.PASS, "all criteria hold"

    def _notice_gap(self, seen: Observation, missing: bool) -> None:
        before = self._looked_at
        if before is not None and seen.seconds <= before:
            return  # repeated, or late
        self._looked_at = seen.seconds
        late = 1.5 * self.settings.tick_seconds + LATE_SECONDS
        absent = missing or self._stale(seen)
        begins = not self._had_data and seen.seconds <= BEGINNING_LOOKS * self.settings.tick_seconds + LATE_SECONDS
        if (absent and not begins) or (before is not None and seen.seconds - before > late):
            self._gap_at = seen.seconds
        self._had_data = self._had_data or not absent

    def _looks_until_steady(self, seen: Observation) -> int:
        if self._gap_at is None:
            return 0
        steady = (seen.seconds - self._gap_at) / self.settings.tick_seconds
        return max(0, math.ceil(STEADY_LOOKS - steady))

    def _stale(self, seen: Observation) -> bool:
        # Also true for NaN: data of unknown age is not fresh.
        return not seen.data_age_seconds <= 2 * self.settings.tick_seconds

    def _scores(self, seen: Observation, window: Window) -> Scores:
        counts = seen.whole_phase if window is Window.WHOLE_PHASE else seen.last_hour
        among = self.assignment.by_chance
        columns = counts.columns()
        rows, metrics = [], []
        # A rank that is spent on differences nobody could notice is lost to the errors.
        of_moment = seen.latencies_reach(self.phase.min_difference_ms)
        for name in ("errors", "slow", "slower"):
            if name not in columns or (name != "errors" and not of_moment):
                continue
            rate = self._rates.get(name) or Rate(np.ones(self.assignment.size), 1.0, UNKNOWN_DRIFT)
            rows.append(surplus(columns[name], counts.operations, rate, among))
            metrics.append(METRIC_OF_COLUMN[name])
        rows.append(critical_surplus(counts.criticals, counts.operations, among))
        metrics.append(METRIC_OF_COLUMN["criticals"])
        return Scores(tuple(metrics), np.array(rows))

    def _is_worse(self, seen: Observation) -> bool:
        """Whether the accused metric's estimate is outside the phase's success limit in any window: a difference that is
        certain but smaller than the plan tolerates is no failure."""
        assert self._ranks is not None
        latency = self._ranks.accused_metric == names.P95_REGRESSION
        if latency and not seen.latencies_differ(self.phase.min_difference_ms):
            return False
        families = {
            names.ERROR_RATE: {names.ERROR_RATE, names.SUCCESS_RATE},
            names.P95_REGRESSION: {names.P95_REGRESSION},
        }
        family = families.get(self._ranks.accused_metric or "", set())
        limits = [criterion for criterion in self.phase.success if criterion.metric in family]
        return not limits or any(self._rulings.beyond(criterion, seen) for criterion in limits)

    def fired(self) -> list[Fired]:
        """Every test that found something, in the order in which they did."""
        fired = [*self._guards.fired(), *self._rulings.fired()]
        if self._confirmed_at is not None and self._ranks is not None:
            metric = self._ranks.accused_metric or names.ERROR_RATE
            why = f"worse than nearly all of {self.settings.cohorts:,} cohorts that the same draw could have given"
            fired.append(Fired(RANK_TEST, metric, self._confirmed_at, why))
        return sorted(fired, key=lambda one: one.at)

    def _guard_results(self) -> list[GuardResult]:
        results = self._guards.results()
        if self._ranks is not None:
            metric = self._ranks.accused_metric or names.ERROR_RATE
            accused = self._ranks.accused_at is not None
            note = "certain, but within what the plan tolerates" if accused and self._confirmed_at is None else ""
            results.insert(
                0,
                GuardResult(
                    guard=RANK_TEST,
                    metric=metric,
                    urgency=urgency_of(metric),
                    budget=self.settings.rank_budget,
                    spent=self._ranks.share_spent,
                    evidence=1.0 if accused else 0.0,
                    fired_at=self._confirmed_at,
                    note=note,
                ),
            )
        return results

    def _notes(self) -> list[str]:
        notes = []
        if self.assignment.basis is CohortBasis.HAND_PICKED:
            notes.append(
                "The cohort was picked by hand: nothing bounds the chance of a false alarm; guards and intervals judge."
            )
        elif self.assignment.basis is CohortBasis.EVERYONE:
            notes.append("Everybody is in: there is no control, so only absolute limits are judged.")
        elif self._ranks is None:
            notes.append("Chance had no say in this cohort, so the rank budget is left out.")
        if not self._has_baseline:
            notes.append("There is no baseline: tenants are compared with each other instead of with themselves.")
        return notes

    def state(self) -> dict[str, Any]:
        """All that has to be kept between two looks; plain JSON."""
        totals = np.array([self._totals.operations, self._totals.errors])
        return {
            "version": STATE_VERSION,
            "assignment": self.assignment.fingerprint(),
            "last_seconds": None if math.isinf(self._last_seconds) else self._last_seconds,
            "confirmed_at": self._confirmed_at,
            "looked_at": self._looked_at,
            "gap_at": self._gap_at,
            "had_data": self._had_data,
            "totals": pack(totals),
            "guards": self._guards.state(),
            "rulings": self._rulings.state(),
            "ranks": None if self._ranks is None else self._ranks.state(),
        }

    @classmethod
    def restore(
        cls,
        state: dict[str, Any],
        assignment: Assignment,
        phase: Phase,
        settings: JudgeSettings | None = None,
        baseline: Baseline | None = None,
    ) -> Self:
        """The judge that ``state`` was taken of. Raises ``InvalidInput`` when the state is of another assignment, or can't
        be read."""
        judge = cls(assignment, phase, settings, baseline)
        if state.get("version") != STATE_VERSION:
            raise InvalidInput(field="state.version", problem=f"must be {STATE_VERSION}", value=state.get("version"))
        if state.get("assignment") != assignment.fingerprint():
            raise InvalidInput(
                field="state.assignment",
                problem="belongs to other tenants or another draw",
                value=state.get("assignment"),
            )
        try:
            judge._restore(state)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InvalidInput(field="state", problem="can't be read", value=type(error).__name__) from None
        return judge

    def _restore(self, state: dict[str, Any]) -> None:
        self._last_seconds = -math.inf if state["last_seconds"] is None else float(state["last_seconds"])
        self._confirmed_at = state["confirmed_at"]
        self._looked_at, self._gap_at = state["looked_at"], state["gap_at"]
        self._had_data = bool(
            state.get("had_data", True)
        )  # states of before don't say it: what is missing then is a gap
        operations, errors = unpack(state["totals"], np.float64, (2, self.assignment.size))
        zeros = np.zeros(self.assignment.size)
        self._totals = Counts(operations, errors, zeros, zeros)
        self._guards.restore(state["guards"])
        self._rulings.restore(state["rulings"])
        if self._ranks is not None:
            self._ranks.restore(state["ranks"])


def _difference(now: Counts, before: Counts) -> Counts:
    """What came in since the last look; never negative, should a source correct itself downwards."""
    operations = np.maximum(now.operations - before.operations, 0.0)
    errors = np.minimum(np.maximum(now.errors - before.errors, 0.0), operations)
    return Counts(operations, errors, before.slow * 0, before.slow * 0)


def _staleness(age_seconds: float) -> str:
    """What to say of data that is too old, or whose age isn't known."""
    return f"the newest data is {age_seconds:.0f} s old" if math.isfinite(age_seconds) else "nothing was measured yet"
