"""Whom an incident reached: the tenants that had the feature enabled right before."""

from __future__ import annotations

from datetime import datetime

from flagconsole.domain.incident import Incident
from flagconsole.operations.reading import ruleset_of
from flagconsole.store.protocol import Reader


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
    tenants = [tenant.tenant_id for tenant in await reader.tenants() if tenant.active]
    at = now.timestamp()
    reached = tuple(name for name in tenants if ruleset.evaluate(incident.flag_name, name, at).enabled)
    return incident.assessed(reached, len(tenants))
