"""The use cases of incidents by name, with authorisation and one transaction around each; a part of ``Operations``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.incident import Incident
from flagconsole.domain.incident_report import to_markdown
from flagconsole.domain.incident_views import (
    IncidentClose,
    IncidentDetail,
    IncidentList,
    IncidentUpdate,
    StepConfirm,
)
from flagconsole.domain.role import Actor
from flagconsole.operations import incidents
from flagconsole.operations.affected import Reach, assessed
from flagconsole.operations.context import Context
from flagconsole.operations.incident_reading import detail_of, existing_incident, view_of
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Store, Transaction

INCIDENTS_LIMIT: Final = 500

Work = Callable[[Transaction, Context], Awaitable[Incident]]


class IncidentOperations:
    """Incidents on one store. Opening them is no use case: a kill or a rollback does it."""

    store: Store

    async def incidents(
        self, actor: Actor, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> IncidentList:
        """Incidents, newest first."""
        authorize(actor, Operation.READ_FLEET)
        if not 1 <= limit <= INCIDENTS_LIMIT:
            raise InvalidInput(field="limit", problem=f"must be from 1 to {INCIDENTS_LIMIT}", value=limit)
        async with self.store.read() as reader:
            now = await reader.now()
            found = await reader.incidents(flag_name=flag_name, open_only=open_only, limit=limit)
            reach = Reach(reader, now)
            views = [await view_of(reader, await reach.assessed(incident)) for incident in found]
            return IncidentList(now=now, incidents=tuple(views))

    async def incident(self, actor: Actor, incident_id: str) -> IncidentDetail:
        """One incident with its timeline and the tenants that it reached."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return await detail_of(reader, await existing_incident(reader, incident_id), await reader.now())

    async def export_incident(self, actor: Actor, incident_id: str) -> str:
        """One incident as Markdown."""
        return to_markdown(await self.incident(actor, incident_id))

    async def update_incident(
        self, actor: Actor, incident_id: str, request: IncidentUpdate, *, dry_run: bool = False
    ) -> IncidentDetail:
        """Write down root cause, resolution, prevention, or another impact than the computed one."""
        authorize(actor, Operation.INCIDENT)
        counted = await self._counted(incident_id)

        async def work(tx: Transaction, context: Context) -> Incident:
            return await incidents.update(tx, context, counted, request)

        return await self._written(actor, incident_id, work, dry_run)

    async def close_incident(
        self, actor: Actor, incident_id: str, request: IncidentClose, *, dry_run: bool = False
    ) -> IncidentDetail:
        """Close an incident. Closing it again changes nothing but what the request writes down."""
        authorize(actor, Operation.INCIDENT)
        counted = await self._counted(incident_id)

        async def work(tx: Transaction, context: Context) -> Incident:
            return await incidents.close(tx, context, counted, request)

        return await self._written(actor, incident_id, work, dry_run)

    async def confirm_step(
        self, actor: Actor, incident_id: str, step: str, request: StepConfirm, *, dry_run: bool = False
    ) -> IncidentDetail:
        """Say what a person found of a step or of a point of the verification list."""
        authorize(actor, Operation.INCIDENT)

        async def work(tx: Transaction, context: Context) -> Incident:
            return await incidents.confirm_step(tx, context, incident_id, step, request)

        return await self._written(actor, incident_id, work, dry_run)

    async def _counted(self, incident_id: str) -> Incident:
        """The incident with its tenants, counted in a view that no kill waits for."""
        async with self.store.read() as reader:
            return await assessed(reader, await existing_incident(reader, incident_id), await reader.now())

    async def _written(self, actor: Actor, incident_id: str, work: Work, dry_run: bool) -> IncidentDetail:
        """Do the work in a transaction, and answer from a view of its own: an answer names every tenant, and takes time."""
        async with self.store.write() as tx:
            context = Context(actor, await tx.now())
            incident = await work(tx, context)
            if dry_run:
                tx.discard()
                return await detail_of(tx, incident, context.now)
        return await self.incident(actor, incident_id)
