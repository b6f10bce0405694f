"""The calls about incidents; a part of ``Client``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flagconsole.client.caller import Caller
from flagconsole.domain.errors import IncidentNotFound, StepNotFound

if TYPE_CHECKING:
    from flagconsole.domain.incident_views import (
        IncidentClose,
        IncidentDetail,
        IncidentList,
        IncidentUpdate,
        StepConfirm,
    )


class IncidentCalls:
    """Each method is one call. What changes something may be asked for again: it does nothing twice."""

    _caller: Caller

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> IncidentList:
        """Incidents with their newest run, newest first."""
        from flagconsole.domain.incident_views import IncidentList

        only = "true" if open_only else None
        return await self._caller.get("/api/incidents", IncidentList, flag_name=flag_name, open=only, limit=limit)

    async def incident(self, incident_id: str) -> IncidentDetail:
        """One incident with its timeline and the tenants that it reached."""
        from flagconsole.domain.incident_views import IncidentDetail

        return await self._caller.get(_incident_path(incident_id), IncidentDetail)

    async def export_incident(self, incident_id: str) -> str:
        """One incident as Markdown."""
        return (await self._caller.get_bytes(_incident_path(incident_id, "/export"))).decode("utf-8", "replace")

    async def update_incident(self, incident_id: str, body: IncidentUpdate, *, dry_run: bool = False) -> IncidentDetail:
        """Write an incident up."""
        from flagconsole.domain.incident_views import IncidentDetail

        path = _incident_path(incident_id)
        return await self._caller.change("PATCH", path, IncidentDetail, body, dry_run=dry_run)

    async def close_incident(self, incident_id: str, body: IncidentClose, *, dry_run: bool = False) -> IncidentDetail:
        """Close an incident."""
        from flagconsole.domain.incident_views import IncidentDetail

        path = _incident_path(incident_id, "/close")
        return await self._caller.change("POST", path, IncidentDetail, body, dry_run=dry_run)

    async def confirm_step(
        self, incident_id: str, step: str, body: StepConfirm, *, dry_run: bool = False
    ) -> IncidentDetail:
        """Say what a person found of a step."""
        from flagconsole.domain.incident_views import IncidentDetail

        if step in ("", ".", "..") or "/" in step:
            raise StepNotFound(incident_id=incident_id, step=step)
        path = _incident_path(incident_id, f"/steps/{quote(step.encode('utf-8', 'replace'), safe='')}/confirm")
        return await self._caller.change("POST", path, IncidentDetail, body, dry_run=dry_run)


def _incident_path(incident_id: str, rest: str = "") -> str:
    """``incident_id`` as one segment of a path; dots and slashes would mean another route."""
    if incident_id in ("", ".", "..") or "/" in incident_id:
        raise IncidentNotFound(incident_id=incident_id)
    return f"/api/incidents/{quote(incident_id.encode('utf-8', 'replace'), safe='')}{rest}"
