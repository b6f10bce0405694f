"""What a key that is bound to a tenant sees: the global flags, its own overrides and its own entries of the log.

A cohort names other tenants, so it is reduced to whether this one is inside (it alone is listed, or it is held out at 0 %).
Reasons and names in an entry that isn't the tenant's own may speak of others, so of those only the facts about the flag are
told.
"""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

from flagconsole.domain.change import Change, Event
from flagconsole.domain.evaluation import Rule, rule_of_tenant
from flagconsole.domain.flag import Flag
from flagconsole.domain.views import ChangeResult, FlagView

_Flag = TypeVar("_Flag", bound=Flag)

#: Of a change that everybody's flag went through; of another tenant's only that there was one.
_GLOBAL_FACTS: Final = ("change_id", "epoch", "flag_name", "action", "change_type", "changed_at", "version")
_FOREIGN_FACTS: Final = ("change_id", "epoch", "flag_name")


def flag_of_tenant(flag: _Flag, tenant_id: str, rule: Rule | None = None) -> _Flag:
    """The flag without the other tenants that its cohort names. ``rule`` is the flag's, where it is at hand: to make it of a
    large cohort takes time."""
    if not flag.canary_tenant_ids and flag.canary_holdout_ids is None:
        return flag
    seen = rule_of_tenant(rule or flag.rule(), tenant_id)
    cohort = {
        "canary_percentage": seen.percentage,
        "canary_tenant_ids": tuple(seen.cohort),
        "canary_holdout_ids": None if seen.holdout is None else tuple(seen.holdout),
    }
    return flag.model_copy(update=cohort)


def view_of_tenant(view: FlagView, tenant_id: str) -> FlagView:
    """The same for a flag with its newest change, which is only told where it is the tenant's own."""
    seen = flag_of_tenant(view, tenant_id)
    if seen.last_change is None or seen.last_change.tenant_id == tenant_id:
        return seen
    return seen.model_copy(update={"last_change": None})


def result_of_tenant(result: ChangeResult, tenant_id: str) -> ChangeResult:
    """The answer to a change that the tenant's key made."""
    return result.model_copy(update={"flag": flag_of_tenant(result.flag, tenant_id)})


def event_of_tenant(event: Event, tenant_id: str, rule: Rule | None = None) -> str:
    """The event as the tenant's stream carries it. Whoever applies it has the same revision as everybody else. ``rule`` as
    above."""
    own = event.change.tenant_id == tenant_id
    flag = None if event.flag is None else flag_of_tenant(event.flag, tenant_id, rule).model_dump(mode="json")
    override = event.override.model_dump(mode="json") if own and event.override is not None else None
    told = {
        "epoch": event.epoch,
        "revision": event.revision,
        "change": _change(event.change, own=own),
        "flag": flag,
        "override": override,
    }
    return json.dumps(told, separators=(",", ":"))


def _change(change: Change, *, own: bool) -> dict[str, Any]:
    if own:
        return change.model_dump(mode="json")
    facts = _GLOBAL_FACTS if change.tenant_id is None else _FOREIGN_FACTS
    return {**change.model_dump(mode="json", include=set(facts)), "tenant_id": None}
