"""What needs attention, flag by flag: a verdict that fails, has no data or nears its limit, a kill, a change that isn't everywhere,
an incident, a rollback by the server that nobody has looked at yet.

Found again with every new state and every second, from the few flags that can be meant: never by searching all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from flagconsole.console.ages import ago, ago_words
from flagconsole.console.arrival import arrival, kill_of, names
from flagconsole.console.figures import limit_text, metric_label, value_text
from flagconsole.console.nearing import is_beyond, nearest_limit
from flagconsole.console.rows import FlagRow
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.console.incidents import IncidentRow
    from flagconsole.console.rollouts import RolloutRow
    from flagconsole.console.state import ConsoleState

#: Seconds that a change has to arrive everywhere before it counts as late.
LATE: Final = 10.0
#: The rank of a kill that somebody may not have yet: nothing is more urgent, an incident that runs for it included.
ARRIVING_RANK: Final = -1
#: Looks of the judge that may be missed before its verdict counts as old.
MISSED_LOOKS: Final = 3
#: Seconds of a phase after which too little traffic to judge by is a problem and no longer a beginning.
GATHERING: Final = 600.0
#: The rank of a rollout under way that gets worse while the judge can't be sure yet.
NEARING_RANK: Final = 4
#: The rank of a flag that was rolled back a while ago, with an incident that is open.
ROLLED_BACK_RANK: Final = 5
#: The rank of a flag that is killed, and nothing else: somebody meant that.
KILLED_RANK: Final = 6
#: A rollout under way that is well: nothing to do, but where the next harm would come from.
UNDER_WAY_RANK: Final = 7
#: The rank of a flag that was killed longer than ``SETTLED`` ago: nobody has to look at it first.
OLD_KILL_RANK: Final = 8
#: Seconds after which a kill or a rollback is what is, and no longer what happens.
SETTLED: Final = 3600.0


class Problem(NamedTuple):
    """Why a flag needs attention; the lowest ``rank`` is the most urgent. ``sign`` and ``word`` say it in a cell. ``stage`` is
    how far a kill that isn't everywhere has come."""

    rank: int
    sign: str
    word: str
    why: str
    role: str = "danger"
    stage: str = ""


def problem_of(state: ConsoleState, row: FlagRow, now: float) -> Problem | None:
    """The most urgent problem of a flag at ``now`` (server's seconds); None where it needs none."""
    return (
        _arriving(state, row, now)
        or _failing(state.rollouts.get(row.name))
        or _needs_you(state, row)
        or _not_everywhere(state, row, now)
        or _incident(state, row)
        or _unknown(state.rollouts.get(row.name), now)
        or _held(state.rollouts.get(row.name))
        or _nearing(state.rollouts.get(row.name), now)
        or _killed(row, now)
        or _rolled_back(state, row, now)
    )


def _arriving(state: ConsoleState, row: FlagRow, now: float) -> Problem | None:
    """A kill that not all have confirmed, from its first moment on: until then it may have stopped nothing."""
    kill = kill_of(row, state.history)
    if kill is None or kill.change_id > state.revision:
        return None
    found = arrival(state.instances.values(), state.epoch, kill.change_id)
    if not found.behind:
        return None
    from flagconsole.console.actions import PARTIAL_AFTER, Stage

    count = f"{len(found.confirmed)}/{found.able}"
    if state.connection.recalled:
        why = f"not known whether the kill is everywhere: {count} had confirmed it when this was kept"
        return Problem(ARRIVING_RANK, "!", "KILL ?", why)
    stage = (Stage.PARTIAL if now - kill.at >= PARTIAL_AFTER else Stage.PROPAGATING).value.upper()
    waits = _needs_you(state, row)
    why = f"{stage} {found.words}: kill not confirmed by {names(found.behind)}" + (f"; {waits.why}" if waits else "")
    return Problem(ARRIVING_RANK, "!", f"KILL {count}", why, stage=stage)


def _failing(rollout: RolloutRow | None) -> Problem | None:
    judged = rollout.judged if rollout is not None and rollout.active else None
    if judged is None or judged.kind != "fail":
        return None
    return Problem(0, "✗", "FAIL", judged.because)


def _open_incidents(state: ConsoleState, row: FlagRow) -> list[IncidentRow]:
    return [item for item in state.incidents.values() if item.flag_name == row.name and item.open]


def _needs_you(state: ConsoleState, row: FlagRow) -> Problem | None:
    found = _open_incidents(state, row)
    waiting = next((item for item in found if item.waits_for is not None), None)
    if waiting is not None and waiting.waits_for is not None:
        return Problem(1, "!", "NEEDS YOU", f"incident {waiting.incident_id}: {waiting.waits_for.title}")
    running = next((item for item in found if item.completed_at is None), None)
    if running is not None and running.left_to_people:
        return Problem(1, "!", "NEEDS YOU", f"incident {running.incident_id}: {running.left_to_people}")
    return None


def _incident(state: ConsoleState, row: FlagRow) -> Problem | None:
    running = next((item for item in _open_incidents(state, row) if item.completed_at is None), None)
    if running is None:
        return None
    return Problem(2, "!", "INCIDENT", f"incident {running.incident_id} runs: {running.trigger}")


def _not_everywhere(state: ConsoleState, row: FlagRow, now: float) -> Problem | None:
    last = row.last
    if last is None or last.change_id > state.revision or now - last.at < LATE:
        return None
    if state.connection.recalled:
        return None  # confirmations come a moment after the change: that the cache lacks some says nothing
    found = arrival(state.instances.values(), state.epoch, last.change_id)
    if not found.behind:
        return None
    short = f"{len(found.confirmed)}/{found.able}"
    why = f"its newest change is not everywhere, {found.words}: {names(found.behind)} behind"
    return Problem(2, "!", f"AT {short}", why)


def _unknown(rollout: RolloutRow | None, now: float) -> Problem | None:
    if rollout is None or not rollout.active or rollout.current is None:
        return None
    judged, tick = rollout.judged, rollout.current.tick_seconds
    looked = judged.at if judged is not None else rollout.phase_started_at
    if now - looked > MISSED_LOOKS * tick:
        return Problem(3, "?", "OVERDUE", f"the judge has not looked for {ago(now - looked)}", "warning")
    if judged is not None and judged.kind == "no_data" and not _begins(rollout, now):
        if judged.shown == judged.kind:
            return Problem(3, "╌", "NO DATA", judged.because or "nothing is measured", "warning")
        if now - rollout.phase_started_at > GATHERING:
            return Problem(NEARING_RANK, "╌", "TOO FEW", f"{judged.because}: too few to judge by", "warning")
    return None


def _held(rollout: RolloutRow | None) -> Problem | None:
    """What would go on, and waits for a person: the server held it at the end of a phase."""
    if rollout is None or rollout.status != "running" or not rollout.held_by_server:
        return None
    judged = rollout.judged
    if judged is None or judged.kind != "pass":
        return None
    return Problem(NEARING_RANK, "‖", "HELD", f"{rollout.pause_reason} (P)", "warning")


def _begins(rollout: RolloutRow, now: float) -> bool:
    """Whether the phase has only begun: its first looks have little to go by, in whichever way they read."""
    tick = rollout.current.tick_seconds if rollout.current is not None else 0.0
    return now - rollout.phase_started_at <= MISSED_LOOKS * tick


def _nearing(rollout: RolloutRow | None, now: float) -> Problem | None:
    if rollout is None or rollout.status != "running" or _begins(rollout, now):
        return None
    row = nearest_limit(rollout)
    if row is None:
        return None
    where = "beyond" if is_beyond(row) else "near"
    why = (
        f"{metric_label(row.metric, row.kind)} {value_text(row.value, row.kind)}, {where} its limit "
        f"{limit_text(row.comparison, row.limit, row.kind)}: the judge isn't certain yet"
    )
    return Problem(NEARING_RANK, "○", "WAIT", why, "warning")


def _rolled_back(state: ConsoleState, row: FlagRow, now: float) -> Problem | None:
    rollout = state.rollouts.get(row.name)
    at = None if rollout is None or rollout.status != "rolled_back" else rollout.took_effect_at(row)
    if at is None or now - at > SETTLED:
        return None
    found = _open_incidents(state, row)
    if not found:
        return None
    newest = max(found, key=lambda item: item.started_at)
    why = f"rolled back {ago_words(now - at)}: {newest.trigger}; {newest.incident_id} is open (i)"
    return Problem(ROLLED_BACK_RANK, "!", "INCIDENT", why, "warning")


def _killed(row: FlagRow, now: float) -> Problem | None:
    if row.state is not FlagState.KILL:
        return None
    when = "" if row.last is None else f" {ago_words(now - row.last.at)} by {row.last.who}: {row.last.reason}"
    old = row.last is not None and now - row.last.at > SETTLED
    return Problem(OLD_KILL_RANK if old else KILLED_RANK, "■", "KILLED", f"killed{when}", "state_kill")


class Attention:
    """Keeps ``ConsoleState.problems`` true."""

    def __init__(self) -> None:
        self._flags: Mapping[str, FlagRow] = {}
        self._killed: set[str] = set()

    def look(self, state: ConsoleState, changed: Iterable[str], now: float) -> tuple[ConsoleState, frozenset[str]]:
        """The state with its problems, and the flags whose problem is another one than before. ``changed`` are the flags
        that may be in another state than at the last look."""
        self._count_killed(state, changed)
        found: dict[str, Problem] = {}
        for name in self._candidates(state):
            row = state.flags.get(name)
            problem = problem_of(state, row, now) if row is not None else None
            if problem is not None:
                found[name] = problem
        before = state.problems
        moved = frozenset(name for name in found.keys() | before.keys() if found.get(name) != before.get(name))
        return (replace(state, problems=found), moved) if moved else (state, moved)

    def _count_killed(self, state: ConsoleState, changed: Iterable[str]) -> None:
        flags, names = state.flags, set(changed)
        if flags is self._flags:
            return
        if not names or len(flags) != len(self._flags):
            names = set(flags) | self._killed
        for name in names:
            row = flags.get(name)
            if row is not None and row.state is FlagState.KILL:
                self._killed.add(name)
            else:
                self._killed.discard(name)
        self._flags = flags

    def _candidates(self, state: ConsoleState) -> set[str]:
        candidates = set(self._killed)
        candidates.update(name for name, rollout in state.rollouts.items() if rollout.active)
        candidates.update(item.flag_name for item in state.incidents.values() if item.open)
        # Only a change that somebody expected hasn't confirmed can be late.
        behind = arrival(state.instances.values(), state.epoch, state.revision).behind
        if behind:
            least = min((item.newest if item.epoch == state.epoch else -1) for item in behind)
            for change in state.history:
                if change.change_id <= least:
                    break
                candidates.add(change.flag_name)
        return candidates
