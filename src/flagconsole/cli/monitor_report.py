"""What ``monitor`` prints: one line, or one JSON object, for each thing that happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flagconsole.cli.output import json_line, moment, say, say_whole, terminal_width
from flagconsole.domain.duration import duration_text, part_of
from flagconsole.domain.nearness import nearest_to_failing
from flagconsole.domain.quantity import quantity
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.text import safe_text
from flagconsole.domain.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagconsole.domain.rollout import Rollout, StoredVerdict
    from flagconsole.domain.rollout_views import NumberedVerdict, RolloutDetail
    from flagconsole.domain.verdict import CriterionResult

GLYPHS = {
    VerdictKind.PASS: "✓ pass",
    VerdictKind.FAIL: "✗ fail",
    VerdictKind.INCONCLUSIVE: "○ inconclusive",
    VerdictKind.NO_DATA: "╌ no data",
}


class Report:
    """Prints to standard output as it goes, flushed line by line so that it can be piped."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        #: Why the newest look of the phase, or of a rollback's watch, said what it said: on a terminal it isn't said again.
        self._because: dict[str, str] = {}

    def began(self, rollout: Rollout, seconds: int) -> None:
        """What is followed, and for how long."""
        line = f"{rollout.flag_name}: {describe(rollout)}; monitored for {duration_text(seconds)}"
        self._tell(line, "rollout", rollout=rollout.model_dump(mode="json"))

    def looked(self, look: NumberedVerdict) -> None:
        """One look of the judge."""
        verdict = look.verdict
        nearest = nearest_to_failing(verdict.criteria)
        of_whom = safe_text(verdict.phase) if verdict.watched_since is None else "who kept it"
        begin, width = f"{_at(verdict.at)}  {of_whom}  ", terminal_width()
        known = self._because.get(of_whom) == verdict.because
        self._because[of_whom] = verdict.because
        room = None if width is None else width - len(begin)
        self._tell(
            f"{begin}{verdict_line(verdict, nearest, room, known=known and room is not None)}",
            "verdict",
            **look.model_dump(mode="json"),
            nearest=None if nearest is None else nearest.model_dump(mode="json"),
        )

    def moved(self, before: Rollout, detail: RolloutDetail) -> None:
        """What somebody, or the controller, did to the rollout."""
        rollout = detail.rollout
        assert rollout is not None
        if _shown(before) == _shown(rollout):
            return
        step = detail.steps[-1] if detail.steps else None
        by = "" if step is None else f"; {safe_text(step.step)} by {safe_text(step.by, 200)}"
        if step is not None and not _told(step.note, rollout.pause_reason + rollout.end_reason):
            by += f": {safe_text(step.note)}"
        step_json = None if step is None else step.model_dump(mode="json")
        self._tell(
            # Why it ended is what the last line says.
            f"{_now()}  {describe(rollout, why=rollout.status.active)}{by}",
            "rollout",
            rollout=rollout.model_dump(mode="json"),
            step=step_json,
        )

    def rolled_back(self, line: str, incident_id: str | None, *, dry_run: bool) -> None:
        """The rollback that this command began, or would begin."""
        self._tell(
            f"{_now()}  {line}",
            "rollback",
            line=line,
            incident_id=incident_id,
            dry_run=dry_run,
            by="flagconsole monitor",
        )

    def trouble(self, problem: str) -> None:
        """Something keeps the screen from being true."""
        self._tell(f"{_now()}  ! {safe_text(problem, 500)}", "trouble", problem=problem)

    def ended(self, because: str, outcome: VerdictKind, exit_code: int) -> None:
        """The last line."""
        self._tell(
            f"{_now()}  end: {GLYPHS[outcome]}; {because}",
            "end",
            because=because,
            outcome=outcome.value,
            exit_code=exit_code,
        )

    def _tell(self, line: str, event: str, /, **data: Any) -> None:
        if self._as_json:
            say_whole(
                json_line({"event": event, "printed_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"), **data})
            )
        else:
            say(line)


def describe(rollout: Rollout, *, why: bool = True) -> str:
    """Phase, status, what is held, how much fresh data the phase has of its minimum, and, where it has ended, ``why``."""
    phase = rollout.current_phase
    parts = [f"{safe_text(rollout.phase)} of {safe_text(rollout.plan.name)}, {rollout.status.value.replace('_', ' ')}"]
    if rollout.status is RolloutStatus.RUNNING:
        parts.append(f"{part_of(rollout.fresh_seconds, phase.min_seconds)} with fresh data")
    if rollout.status is RolloutStatus.ROLLING_BACK and rollout.pause_reason:
        # The reason begins with what is done. That it goes no further and reaches no one else is what rolling back means.
        return f"{safe_text(rollout.phase)} of {safe_text(rollout.plan.name)}, {safe_text(rollout.pause_reason)}"
    if not rollout.status.active:
        return "; ".join([*parts, safe_text(rollout.end_reason)] if why and rollout.end_reason else parts)
    if rollout.progression_paused:
        parts.append(f"progression paused: {safe_text(rollout.pause_reason)}")
    if rollout.exposure_frozen:
        parts.append("exposure frozen")
    return "; ".join(parts)


def verdict_line(
    verdict: StoredVerdict, nearest: CriterionResult | None, room: int | None = None, *, known: bool = False
) -> str:
    """The verdict, what is nearest to failing, and why, where that isn't ``known`` already; then how old the data are, from how much, and what the looks have used of the
    chance of a false alarm, as far as there are columns of ``room`` (None: all of it)."""
    parts = [GLYPHS[verdict.kind]]
    if nearest is not None:
        parts.append(criterion_line(nearest))
    if verdict.because and verdict.kind is not VerdictKind.PASS and not known:
        parts.append(safe_text(verdict.because))
    for part in _beside(verdict):
        if room is None or len("  ".join([*parts, part])) <= room:
            parts.append(part)
    return "  ".join(parts)


def _beside(verdict: StoredVerdict) -> Iterator[str]:
    """What stands beside a verdict, the weightiest first."""
    if verdict.data_age_seconds is not None:
        yield f"data {verdict.data_age_seconds:.0f} s old"
    if verdict.operations is not None:
        yield f"{verdict.operations} operations of {verdict.tenants} tenant{'s' * (verdict.tenants != 1)}"
    if verdict.budget_spent is not None and verdict.operations != 0:  # of nothing measured nothing can be a false alarm
        spent = verdict.budget_spent
        used = f"{spent:.0%} of what is allowed"
        if verdict.budget is not None:
            used = f"{spent * verdict.budget * 100:.2g} of at most {verdict.budget * 100:.3g} %"
        yield f"chance of a false alarm so far {used}"


def criterion_line(result: CriterionResult) -> str:
    """``error_rate 0.31 % (limit > 2.00 %)``."""
    limit = f"limit {result.comparison.value} {quantity(result.kind, result.limit)}"
    return f"{safe_text(result.metric, 64)} {quantity(result.kind, result.value)} ({limit})"


def _shown(rollout: Rollout) -> tuple[object, ...]:
    return (
        rollout.phase,
        rollout.status,
        rollout.progression_paused,
        rollout.exposure_frozen,
        rollout.pause_reason,
        rollout.end_reason,
    )


def _told(note: str, told: str) -> bool:
    """Whether a step's note says what was ``told``, be it with the playbook's name before it."""
    _, _, reason = note.partition(": ")
    return note in told or bool(reason and reason in told) or bool(told and told in note)


def _now() -> str:
    return _at(datetime.now(UTC))


def _at(then: datetime) -> str:
    """The time of day for who looks on; the whole time for what is kept."""
    return moment(then) if terminal_width() is None else f"{then.astimezone(UTC):%H:%M:%S}Z"
