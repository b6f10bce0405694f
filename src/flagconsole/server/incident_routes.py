"""Incidents: reading, writing up, confirming steps, closing, exporting."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from flagconsole.domain.incident_views import (
    IncidentClose,
    IncidentDetail,
    IncidentList,
    IncidentUpdate,
    StepConfirm,
)
from flagconsole.operations.incident_service import INCIDENTS_LIMIT
from flagconsole.server.change_routes import DryRun
from flagconsole.server.state import Caller, Fresh, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

IncidentId = Annotated[str, Path(min_length=1, max_length=100, examples=["inc-1"])]
StepName = Annotated[str, Path(min_length=1, max_length=100, examples=["verify_off"])]


@router.get("/api/incidents", summary="Incidents", dependencies=[Fresh], responses=problems())
async def incidents(
    state: State,
    actor: Caller,
    flag_name: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    open_only: Annotated[bool, Query(alias="open", description="Only those that nobody has closed")] = False,
    limit: Annotated[int, Query(ge=1, le=INCIDENTS_LIMIT)] = 50,
) -> IncidentList:
    """Incidents with their newest run, newest first."""
    return await state.operations.incidents(actor, flag_name=flag_name, open_only=open_only, limit=limit)


@router.get("/api/incidents/{incident_id}", summary="One incident", dependencies=[Fresh], responses=problems(404))
async def incident(state: State, actor: Caller, incident_id: IncidentId) -> IncidentDetail:
    """One incident with its timeline, the tenants that it reached, and who was told."""
    return await state.operations.incident(actor, incident_id)


@router.get(
    "/api/incidents/{incident_id}/export",
    summary="One incident as Markdown",
    dependencies=[Fresh],
    responses={
        **problems(404),
        200: {"content": {"text/markdown": {"schema": {"type": "string"}}}, "description": "The report"},
    },
    response_class=Response,
)
async def export(state: State, actor: Caller, incident_id: IncidentId) -> Response:
    """The whole report, for a post-mortem."""
    report = await state.operations.export_incident(actor, incident_id)
    return Response(report.encode(), media_type="text/markdown")


@router.patch("/api/incidents/{incident_id}", summary="Write an incident up", responses=problems(404, 413, 415))
async def update(
    state: State, actor: Caller, incident_id: IncidentId, body: IncidentUpdate, dry_run: DryRun = False
) -> IncidentDetail:
    """Root cause, resolution, prevention, or another impact than the computed one."""
    return await state.operations.update_incident(actor, incident_id, body, dry_run=dry_run)


@router.post("/api/incidents/{incident_id}/close", summary="Close an incident", responses=problems(404, 413, 415))
async def close(
    state: State, actor: Caller, incident_id: IncidentId, body: IncidentClose, dry_run: DryRun = False
) -> IncidentDetail:
    """Close it, once; what is left of its playbook is not done any more."""
    return await state.operations.close_incident(actor, incident_id, body, dry_run=dry_run)


@router.post(
    "/api/incidents/{incident_id}/steps/{step}/confirm",
    summary="Say what a person found of a step",
    responses=problems(404, 409, 413, 415),
)
async def confirm(
    state: State, actor: Caller, incident_id: IncidentId, step: StepName, body: StepConfirm, dry_run: DryRun = False
) -> IncidentDetail:
    """A manual step, one that may or may not have happened, or a point of the verification list (``verification_1``)."""
    return await state.operations.confirm_step(actor, incident_id, step, body, dry_run=dry_run)
