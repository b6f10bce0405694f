"""Which flags one tenant gets, and why: every flag of the console's rules evaluated for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from flagconsole.console.state import ConsoleState
from flagconsole.domain.evaluation import Evaluation, Reason, Ruleset
from flagconsole.domain.states import FlagState


class TenantFlags(NamedTuple):
    """A tenant's evaluations at one revision. ``telling`` are those worth a row: what it has, has of its own, or lost to a
    kill or a dependency; the rest is off for everyone, or the tenant is outside of a cohort."""

    tenant_id: str
    ruleset: Ruleset
    telling: tuple[Evaluation, ...]
    enabled: int
    shadow: int
    outside: int
    off: int


_FIRST: Mapping[FlagState, int] = {
    FlagState.KILL: 0,
    FlagState.CANARY: 1,
    FlagState.SHADOW: 2,
    FlagState.ON: 3,
    FlagState.OFF: 4,
}


def flags_of(state: ConsoleState, tenant_id: str, now: float) -> TenantFlags:
    """Evaluate all flags for a tenant at ``now`` (server's seconds since the epoch)."""
    ruleset, found = state.ruleset, []
    enabled = shadow = outside = off = 0
    for name in ruleset.rules:
        outcome = ruleset.evaluate(name, tenant_id, now)
        enabled += outcome.enabled
        shadow += outcome.shadow
        if outcome.state is FlagState.OFF and outcome.reason is Reason.OUTSIDE_COHORT:
            outside += 1
        elif outcome.state is FlagState.OFF and outcome.reason is Reason.STATE:
            off += 1
        else:
            found.append(outcome)
    found.sort(key=lambda item: (item.reason is not Reason.OVERRIDE, _FIRST[item.state], item.flag_name))
    return TenantFlags(tenant_id, ruleset, tuple(found), enabled, shadow, outside, off)
