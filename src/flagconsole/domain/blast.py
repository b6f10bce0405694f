"""What a kill (or any change of one flag) would do to tenants and dependents, before anything is sent."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from flagconsole.domain.evaluation import Evaluation, Rule, Ruleset
from flagconsole.domain.states import FlagState


class DependentChange(NamedTuple):
    """How many tenants' effective state of a dependent flag would change, and from what to what for most of them."""

    flag_name: str
    tenants: int
    after: FlagState
    before: FlagState


class BlastRadius(NamedTuple):
    """The effect of a change of one flag on the known tenants.

    ``losing`` have the feature enabled now and would not after; ``gaining`` the other way round; ``shadow_losing`` run it
    read-only now. ``dependents`` lists every dependent flag with the number of tenants it would change for.
    """

    flag_name: str
    tenants: int
    losing: int
    gaining: int
    shadow_losing: int
    dependents: tuple[DependentChange, ...]


def blast_radius(ruleset: Ruleset, flag_name: str, after: Rule, tenants: Collection[str], now: float) -> BlastRadius:
    """Compare every tenant's effective states with and without the change to ``after``."""
    changed = ruleset.with_rule(ruleset.revision, flag_name, after)
    losing = gaining = shadow_losing = 0
    for tenant in tenants:
        old = ruleset.evaluate(flag_name, tenant, now)
        new = changed.evaluate(flag_name, tenant, now)
        losing += old.enabled and not new.enabled
        gaining += new.enabled and not old.enabled
        shadow_losing += old.shadow and not new.shadow and not new.enabled
    dependents = tuple(_dependent(ruleset, changed, name, tenants, now) for name in ruleset.dependents(flag_name))
    return BlastRadius(flag_name, len(tenants), losing, gaining, shadow_losing, dependents)


def kill_radius(ruleset: Ruleset, flag_name: str, tenants: Collection[str], now: float) -> BlastRadius:
    """The blast radius of killing ``flag_name``. Raises ``KeyError`` when there is no such flag."""
    return blast_radius(ruleset, flag_name, ruleset.rules[flag_name]._replace(state=FlagState.KILL), tenants, now)


def _dependent(before: Ruleset, after: Ruleset, name: str, tenants: Collection[str], now: float) -> DependentChange:
    outcomes: dict[tuple[FlagState, FlagState], int] = {}
    for tenant in tenants:
        new: Evaluation = after.evaluate(name, tenant, now)
        old: Evaluation = before.evaluate(name, tenant, now)
        if new.state is not old.state:
            change = (old.state, new.state)
            outcomes[change] = outcomes.get(change, 0) + 1
    was, becomes = max(outcomes, key=lambda change: outcomes[change], default=(FlagState.OFF, FlagState.OFF))
    return DependentChange(name, sum(outcomes.values()), becomes, was)
