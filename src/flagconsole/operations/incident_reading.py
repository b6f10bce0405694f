"""Incidents as they are shown, each from one consistent view of the store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from flagconsole.domain.change import Change
from flagconsole.domain.errors import IncidentNotFound
from flagconsole.domain.incident import AffectedTenant, Incident
from flagconsole.domain.incident_timeline import timeline
from flagconsole.domain.incident_views import IncidentDetail, IncidentView, NoticeView, RunView
from flagconsole.domain.rollout import StoredVerdict
from flagconsole.operations.affected import assessed
from flagconsole.store.protocol import Reader

_CHANGES: Final = 200
_VERDICTS: Final = 200
#: Incidents of the flag among which the one before is looked for.
_EARLIER: Final = 50
#: Verdicts from so long before an incident belong to its story.
_BEFORE: Final = timedelta(hours=1)


async def existing_incident(reader: Reader, incident_id: str) -> Incident:
    """The incident, or ``IncidentNotFound``."""
    incident = await reader.incident(incident_id)
    if incident is None:
        raise IncidentNotFound("See: flagconsole incidents list", incident_id=incident_id)
    return incident


async def view_of(reader: Reader, incident: Incident) -> IncidentView:
    """The incident with its newest run."""
    runs = await reader.runs_of(incident.incident_id)
    if not runs:
        return IncidentView.of(incident, None)
    return IncidentView.of(incident, RunView.of(runs[-1], tuple(await reader.steps_of(runs[-1].run_id))))


async def detail_of(reader: Reader, incident: Incident, now: datetime) -> IncidentDetail:
    """Everything about the incident."""
    counted = await assessed(reader, incident, now)
    runs = [(run, await reader.steps_of(run.run_id)) for run in await reader.runs_of(counted.incident_id)]
    deliveries = await reader.deliveries_of(counted.incident_id)
    entries = timeline(
        counted,
        changes=await _changes(reader, counted),
        verdicts=await _verdicts(reader, counted),
        instances=await reader.instances(),
        runs=runs,
        deliveries=deliveries,
    )
    names = await reader.tenant_names() if counted.affected_tenants else {}
    reached = counted.affected_tenants or ()
    return IncidentDetail(
        now=now,
        incident=await view_of(reader, counted),
        affected_tenants=tuple(AffectedTenant(tenant_id=name, name=names.get(name, "")) for name in reached),
        timeline=entries,
        notices=tuple(NoticeView.of(delivery) for delivery in deliveries),
    )


async def _changes(reader: Reader, incident: Incident) -> list[Change]:
    """The flag's changes from the one before the incident's first up to its closing."""
    found = await reader.changes(flag_name=incident.flag_name, limit=_CHANGES)
    wanted: list[Change] = []
    for change in found:
        if incident.closed_at is not None and change.changed_at > incident.closed_at:
            continue
        wanted.append(change)
        if change.changed_at < incident.started_at:
            break
    return wanted


async def _verdicts(reader: Reader, incident: Incident) -> list[StoredVerdict]:
    begin, end = incident.started_at - _BEFORE, incident.completed_at or incident.closed_at
    # What was judged before an earlier incident of the flag is that one's story.
    for earlier in await reader.incidents(flag_name=incident.flag_name, limit=_EARLIER):
        if earlier.started_at < incident.started_at:
            begin = max(begin, earlier.started_at)
            break
    found = await reader.verdicts(incident.flag_name, limit=_VERDICTS)
    return [verdict for _, verdict in found if begin <= verdict.at and (end is None or verdict.at <= end)]
