"""Flags that are due for removal: what makes one stale, and since when."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from flagconsole.domain.flag import Flag, Frozen
from flagconsole.domain.names import FlagName
from flagconsole.domain.plan import PhaseKind, Plan
from flagconsole.domain.states import FlagState

#: Without operations for so many days a flag counts as unused.
UNUSED_DAYS = 30


class StaleReason(StrEnum):
    """Why a flag is stale."""

    EXPIRED = "expired"
    STABLE = "stable"
    UNUSED = "unused"


class StaleFinding(Frozen):
    """One reason, the moment since which it holds, and what it means in words."""

    reason: StaleReason
    since: AwareDatetime
    words: str


class StaleFlag(Frozen):
    """A flag that is due for removal. ``measured_at`` is when an operation of it was measured last; null where none is known."""

    flag_name: FlagName
    owner: str
    current_state: FlagState
    measured_at: AwareDatetime | None
    findings: tuple[StaleFinding, ...]


class StaleList(Frozen):
    """``GET /api/stale``: the stale flags, those that are stale for longest first. ``measured`` says whether any flag had
    operations in the last ``unused_days``; where none had, nothing is called unused, since nobody measures."""

    now: AwareDatetime
    unused_days: int
    measured: bool
    flags: tuple[StaleFlag, ...]


def stable_seconds(plan: Plan) -> float:
    """How long a flag stays fully on by its plan before it is due for removal."""
    return sum(phase.min_seconds for phase in plan.phases if phase.kind is PhaseKind.FULL)


def findings_of(
    flag: Flag, now: datetime, stable: float, measured_at: datetime | None, unused: timedelta | None
) -> tuple[StaleFinding, ...]:
    """Why ``flag`` is stale. ``stable`` is in seconds; ``unused`` is how long a flag may be without operations, None where
    nobody measures."""
    found = []
    if flag.expires_on is not None:
        ends = datetime.combine(flag.expires_on + timedelta(days=1), time(), UTC)
        if now >= ends:
            words = f"expired on {flag.expires_on.isoformat()}"
            found.append(StaleFinding(reason=StaleReason.EXPIRED, since=ends, words=words))
    # A change of the flag begins the time anew: nothing says that what came after it is stable.
    due = flag.updated_at + timedelta(seconds=stable)
    if flag.current_state is FlagState.ON and now >= due:
        days = (now - flag.updated_at).days
        words = f"on and unchanged for {days} days, its plan asks for {stable / 86_400:g}"
        found.append(StaleFinding(reason=StaleReason.STABLE, since=due, words=words))
    if unused is not None:
        last = max(measured_at or flag.created_at, flag.created_at)
        if now >= last + unused:
            seen = "never measured" if measured_at is None else f"last measured on {measured_at.date().isoformat()}"
            words = f"no operation for {(now - last).days} days ({seen})"
            found.append(StaleFinding(reason=StaleReason.UNUSED, since=last + unused, words=words))
    return tuple(found)
