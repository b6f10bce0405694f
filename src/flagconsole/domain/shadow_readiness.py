"""How ready a feature is by what its shadow executions came to: the score, the two gates, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from flagconsole.domain.shadow_report import (
    BlockingIssue,
    DependencyShadow,
    ErrorShadow,
    FieldMismatch,
    Readiness,
    ReadinessScore,
    ScorePart,
    ValidationShadow,
)
from flagconsole.domain.shadow_tally import ShadowTally

#: What a canary asks of shadow: the least share of successes, the largest share of errors, and of the baseline's time.
LEAST_SUCCESS: Final = 0.95
MOST_ERRORS: Final = 0.02
MOST_TIME: Final = 1.10
#: So many errors and more leave nothing of their part of the score.
SCORED_ERRORS: Final = 10
#: Fewer executions than this are said to be few.
FEW_EXECUTIONS: Final = 100
#: A guard that found its transaction gone raises an exception of this name: a write may have got through.
GUARD_BROKEN: Final = "GuardBroken"

_SUCCESS, _CONSISTENCY, _ERRORS = 0.5, 0.3, 0.2


class Evidence(NamedTuple):
    """What readiness is judged by: all executions that ran something, those of them that went the ``whole_path``, and the mean
    time of the old way; None where it isn't known."""

    tally: ShadowTally
    baseline_seconds: float | None
    whole_path: ShadowTally
    failures: Sequence[ErrorShadow] = ()
    validations: Sequence[ValidationShadow] = ()
    fields: Sequence[FieldMismatch] = ()
    dependencies: Sequence[DependencyShadow] = ()

    @property
    def time_ratio(self) -> float | None:
        """The mean time of the whole path relative to the old way's; None where either isn't known."""
        mean = self.whole_path.mean_seconds
        return mean / self.baseline_seconds if mean is not None and self.baseline_seconds else None


def readiness_score(tally: ShadowTally) -> ReadinessScore:
    """The score with its parts. A part that wasn't measured gives no points."""
    success = _part(tally.share(tally.successes), _SUCCESS)
    consistency = _part(tally.consistency, _CONSISTENCY)
    errors = _part(1 - min(tally.errors / SCORED_ERRORS, 1) if tally.executions else None, _ERRORS)
    score = success.points + consistency.points + errors.points if tally.executions else None
    return ReadinessScore(score=score, success=success, consistency=consistency, errors=errors)


def blocking_issues(evidence: Evidence) -> tuple[list[BlockingIssue], list[BlockingIssue]]:
    """What keeps the feature from a canary, and what besides keeps it from production."""
    tally = evidence.tally
    if not tally.executions:
        said = "nothing was executed in shadow in this window"
        return [BlockingIssue(code="no_executions", message=said)], _before_production(evidence)
    canary = [*_by_rates(tally), *_by_time(evidence)]
    broken = sum(item.times for item in evidence.failures if item.error == GUARD_BROKEN)
    if broken:
        said = f"{_times(broken)} a guard did not hold, so a write may have got through"
        canary.insert(0, BlockingIssue(code="guard_broken", message=said))
    return canary, _before_production(evidence)


def ready(issues: Sequence[BlockingIssue]) -> Readiness:
    """Ready where no issue is left."""
    return Readiness(ready=not issues, reasons=tuple(issue.message for issue in issues))


def recommendations(evidence: Evidence) -> list[str]:
    """What to do next, the most telling first."""
    tally = evidence.tally
    if not tally.executions:
        return ["set the flag to shadow, and let services run the new way with Shadow(...).execute"]
    said = [f"look at {item.error} in the {item.source}: {_times(item.times)}" for item in evidence.failures[:3]]
    for validation in evidence.validations:
        if validation.failed:
            whole = validation.passed + validation.failed
            said.append(f"validation {validation.name} failed {validation.failed} of {whole} times")
    said += [f"old and new differ in {item.field} ({item.kind}): {_times(item.times)}" for item in evidence.fields[:3]]
    if not evidence.whole_path.executions:
        said.append("run the whole path (dry_run or ui_intents): validations alone say nothing of its time")
    if not tally.compared:
        said.append("compare the new way with the old one (compare=): consistency is not measured")
    if evidence.baseline_seconds is None:
        said.append("measure the old way with operation() or compare=: there is no time to hold the new one against")
    if tally.executions < FEW_EXECUTIONS:
        said.append(f"wait for more: {tally.executions} executions say little")
    return said


def _part(value: float | None, weight: float) -> ScorePart:
    return ScorePart(value=value, weight=weight, points=weight * (value or 0.0))


def _by_rates(tally: ShadowTally) -> list[BlockingIssue]:
    success, errors = tally.share(tally.successes) or 0.0, tally.share(tally.errors) or 0.0
    issues = []
    if success < LEAST_SUCCESS:
        said = f"success rate {_share(success)}, wanted {LEAST_SUCCESS:.0%} or more"
        issues.append(BlockingIssue(code="success_rate", message=said))
    if errors > MOST_ERRORS:
        said = f"error rate {_share(errors)}, wanted {MOST_ERRORS:.0%} or less"
        issues.append(BlockingIssue(code="error_rate", message=said))
    return issues


def _by_time(evidence: Evidence) -> list[BlockingIssue]:
    if not evidence.whole_path.executions:
        said = "only validations ran, so the time of the whole path is not known"
        return [BlockingIssue(code="no_dry_run", message=said)]
    ratio = evidence.time_ratio
    if ratio is None:
        said = "the time of the old way is not known, so the new one can't be held against it"
        return [BlockingIssue(code="no_baseline", message=said)]
    if ratio <= MOST_TIME:
        return []
    said = f"takes {ratio:.0%} of the old way's time, wanted {MOST_TIME:.0%} or less"
    return [BlockingIssue(code="slow", message=said)]


def _before_production(evidence: Evidence) -> list[BlockingIssue]:
    issues = []
    invalid = evidence.tally.invalid_intents
    if invalid:
        said = f"{invalid} of {evidence.tally.intents} UI intents are invalid"
        issues.append(BlockingIssue(code="invalid_intents", message=said))
    missing = [item.name for item in evidence.dependencies if not item.validated]
    if missing:
        said = f"dependencies not validated: {', '.join(missing)}"
        issues.append(BlockingIssue(code="dependencies", message=said))
    return issues


def _share(value: float) -> str:
    return f"{value:.2%}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
