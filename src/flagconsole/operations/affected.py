"""Whom an incident reached: the tenants that had the feature enabled right before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.incident import Incident
from flagconsole.operations.reading import ruleset_of
from flagconsole.store.protocol import Reader

#: More tenants than this are counted in a thread, so that nobody else waits for it.
_FEW: Final = 2_000


async def assessed(reader: Reader, incident: Incident, now: datetime) -> Incident:
    """The incident with its affected tenants and the impact that follows; as it is where they were counted already.

    Counted with the flag as it was right before and everything else as it is now, so the sooner the better. Where the flag
    was archived meanwhile there is nothing to count with, and it stays uncounted.
    """
    if incident.affected_tenants is not None:
        return incident
    views = await reader.flag_views()
    flag = next((view for view in views if view.flag_name == incident.flag_name), None)
    if flag is None:
        return incident
    before = flag.model_copy(update=incident.before.model_dump())
    flags = [before if view.flag_name == incident.flag_name else view for view in views]
    ruleset = ruleset_of(await reader.head(), flags, await reader.overrides())
    tenants = await reader.active_tenant_ids()
    if len(tenants) <= _FEW:
        reached = _reached(ruleset, incident.flag_name, tenants, now)
    else:
        reached = await asyncio.to_thread(_reached, ruleset, incident.flag_name, tenants, now)
    return incident.assessed(reached, len(tenants))


def _reached(ruleset: Ruleset, flag_name: str, tenants: Sequence[str], now: datetime) -> tuple[str, ...]:
    at = now.timestamp()
    return tuple(name for name in tenants if ruleset.evaluate(flag_name, name, at).enabled)
