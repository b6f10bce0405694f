"""What a kill would do, computed here from the rules at hand before anything is sent, and whether it is high risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from flagconsole.console.rows import FlagRow
from flagconsole.console.state import ConsoleState, Reach
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.states import ENABLING, FlagState

if TYPE_CHECKING:
    from flagconsole.domain.blast import BlastRadius, DependentChange

#: With more known tenants than this, computing moves to a thread.
INLINE_TENANTS: Final = 2_000
#: Evaluations that the table's TENANTS column may cost at once; beyond, only the selected flag is counted.
REACH_BUDGET: Final = 400_000

#: On for everyone for longer than this many seconds: the code without the feature may have rotted.
LONG_ON: Final = 14 * 86_400.0
#: A dependent that changes for at least this share of the known tenants, and at least so many of them, is "many".
MANY_SHARE: Final = 0.5
MANY_TENANTS: Final = 100


class KillImpact(NamedTuple):
    """The blast radius of a kill with what it was computed from. Of the ``instances`` that would be waited for, ``mute`` can't
    confirm. ``risks`` says why it is high risk; empty otherwise."""

    blast: BlastRadius
    revision: int
    instances: int
    mute: int
    risks: tuple[str, ...]


def kill_impact(state: ConsoleState, flag_name: str, now: float) -> KillImpact:
    """The impact of killing ``flag_name`` at ``now`` (server's seconds since the epoch). ``KeyError`` if there is none."""
    from flagconsole.domain.blast import kill_radius

    blast = kill_radius(state.ruleset, flag_name, state.tenants, now)
    expected = state.expected
    mute = sum(not row.can_confirm for row in expected)
    return KillImpact(blast, state.revision, len(expected), mute, tuple(_risks(state, flag_name, blast, now)))


def _risks(state: ConsoleState, flag_name: str, blast: BlastRadius, now: float) -> list[str]:
    row, risks = state.flags[flag_name], []
    unchanged_for = now - (row.last.at if row.last is not None else row.updated_at)
    # One tenant with an override to off keeps the path without the feature in use, so that is not "for everyone".
    if row.state is FlagState.ON and blast.losing == blast.tenants and unchanged_for > LONG_ON:
        days = int(unchanged_for // 86_400)
        risks.append(f"on for everyone for {days} days: the path without it has not run since")
    many = max(MANY_TENANTS, MANY_SHARE * blast.tenants)
    hit = [dependent for dependent in blast.dependents if dependent.tenants >= many and _runs(state, dependent)]
    if hit:
        worst = max(hit, key=lambda dependent: dependent.tenants)
        more = f" and {len(hit) - 1} more" if len(hit) > 1 else ""
        risks.append(f"{worst.flag_name}{more} would change for {worst.tenants} of {blast.tenants} tenants")
    return risks


def _runs(state: ConsoleState, dependent: DependentChange) -> bool:
    """Whether customers have the dependent at all: one that only runs in shadow can stop without anybody noticing."""
    row = state.flags.get(dependent.flag_name)
    return row is not None and row.state in ENABLING


def known_dependencies(state: ConsoleState, row: FlagRow) -> tuple[tuple[str, FlagState | None], ...]:
    """A flag's direct dependencies with their states; None for one outside of the store."""
    return tuple((name, known.state if (known := state.flags.get(name)) else None) for name in row.dependencies)


def stopped_by(state: ConsoleState, row: FlagRow) -> tuple[str, FlagState] | None:
    """The first flag among what this one needs, directly or not, whose own state keeps it from everybody who would have it, with
    that state; None where none does. A flag that nobody would have is stopped by none."""
    if row.state not in ENABLING and row.state is not FlagState.SHADOW:
        return None
    waiting, seen = list(row.dependencies), set[str]()
    while waiting:
        name = waiting.pop(0)
        known = state.flags.get(name)
        if known is None or name in seen:
            continue
        seen.add(name)
        if known.state in {FlagState.OFF, FlagState.KILL} and not state.overrides.get(name):
            return name, known.state
        if known.state is FlagState.SHADOW and row.state in ENABLING and not state.overrides.get(name):
            return name, known.state
        waiting.extend(known.dependencies)
    return None


def reach_of(ruleset: Ruleset, flag_name: str, tenants: tuple[str, ...], now: float) -> Reach:
    """For how many tenants a flag is enabled, or runs in shadow."""
    everyone = ruleset.evaluate_for_all(flag_name, now)
    if everyone is not None:
        return Reach(len(tenants) * everyone.enabled, len(tenants) * everyone.shadow, len(tenants))
    enabled = shadow = 0
    for tenant in tenants:
        outcome = ruleset.evaluate(flag_name, tenant, now)
        enabled += outcome.enabled
        shadow += outcome.shadow
    return Reach(enabled, shadow, len(tenants))


def reaches(ruleset: Ruleset, names: frozenset[str], tenants: tuple[str, ...], now: float) -> dict[str, Reach]:
    """``reach_of`` for many flags. A flag that is the same for everyone costs next to nothing."""
    return {name: reach_of(ruleset, name, tenants, now) for name in names if name in ruleset.rules}


def waited_words(instances: int, mute: int) -> str:
    """Who is expected to confirm a change, and who can't."""
    able = instances - mute
    words = f"{able} instance{'s' if able != 1 else ''} expected to confirm"
    return words + (f"; {mute} more will be told, and can't confirm" if mute else "")


def last_part(flag_name: str) -> str:
    """The word that is typed to confirm: what follows the last dot of the name."""
    return flag_name.rpartition(".")[2]
