"""What commands need of a server or a store about incidents, and the store's side of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from flagconsole.domain.incident_views import (
        IncidentClose,
        IncidentDetail,
        IncidentList,
        IncidentUpdate,
        StepConfirm,
    )
    from flagconsole.domain.role import Actor
    from flagconsole.operations.service import Operations


class IncidentBackend(Protocol):
    """The methods mean what ``docs/api.md`` says of the calls."""

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> IncidentList: ...
    async def incident(self, incident_id: str) -> IncidentDetail: ...
    async def export_incident(self, incident_id: str) -> str: ...
    async def update_incident(
        self, incident_id: str, body: IncidentUpdate, *, dry_run: bool = False
    ) -> IncidentDetail: ...
    async def close_incident(
        self, incident_id: str, body: IncidentClose, *, dry_run: bool = False
    ) -> IncidentDetail: ...
    async def confirm_step(
        self, incident_id: str, step: str, body: StepConfirm, *, dry_run: bool = False
    ) -> IncidentDetail: ...


class EmbeddedIncidents:
    """``IncidentBackend`` on ``Operations``, for one actor."""

    _operations: Operations
    _actor: Actor

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> IncidentList:
        return await self._operations.incidents(self._actor, flag_name=flag_name, open_only=open_only, limit=limit)

    async def incident(self, incident_id: str) -> IncidentDetail:
        return await self._operations.incident(self._actor, incident_id)

    async def export_incident(self, incident_id: str) -> str:
        return await self._operations.export_incident(self._actor, incident_id)

    async def update_incident(self, incident_id: str, body: IncidentUpdate, *, dry_run: bool = False) -> IncidentDetail:
        return await self._operations.update_incident(self._actor, incident_id, body, dry_run=dry_run)

    async def close_incident(self, incident_id: str, body: IncidentClose, *, dry_run: bool = False) -> IncidentDetail:
        return await self._operations.close_incident(self._actor, incident_id, body, dry_run=dry_run)

    async def confirm_step(
        self, incident_id: str, step: str, body: StepConfirm, *, dry_run: bool = False
    ) -> IncidentDetail:
        return await self._operations.confirm_step(self._actor, incident_id, step, body, dry_run=dry_run)
