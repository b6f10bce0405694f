"""Whether a change lets more tenants have a feature: then it is guarded in production by a typed word.

Only what the console knows is compared; where it can't tell, it counts as raising.
"""

from __future__ import annotations

from flagconsole.console.rows import FlagRow
from flagconsole.domain.states import FlagState

_RANK = {FlagState.KILL: 0, FlagState.OFF: 1, FlagState.SHADOW: 2, FlagState.CANARY: 3, FlagState.ON: 4}


def raises(before: FlagRow, state: FlagState, percentage: int) -> bool:
    """Whether ``state`` (with ``percentage`` of a canary) exposes more than the flag does now. A chosen cohort is not
    comparable with a percentage, so going from one to the other counts as raising."""
    if state is not before.state:
        return _RANK[state] > _RANK[before.state]
    if state is not FlagState.CANARY:
        return False
    return bool(before.cohort) or percentage > before.percentage


def raises_for_tenant(now: FlagState, after: FlagState) -> bool:
    """Whether a tenant gets more than it has now."""
    return _RANK[after] > _RANK[now]
