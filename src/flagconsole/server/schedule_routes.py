"""Scheduled changes over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from flagconsole.domain.names import FlagName
from flagconsole.domain.schedule import ScheduleCancel, ScheduleCreate, ScheduleList, ScheduleView
from flagconsole.operations.schedule_service import SCHEDULES_LIMIT
from flagconsole.server.change_routes import DryRun, Key, Version
from flagconsole.server.flag_routes import Name
from flagconsole.server.state import Caller, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

_MUTATION = problems(404, 409, 412, 413, 415, 428)


@router.get("/api/schedules", summary="Scheduled changes", responses=problems(404))
async def schedules(
    state: State,
    actor: Caller,
    flag_name: Annotated[FlagName | None, Query()] = None,
    open_only: Annotated[
        bool, Query(alias="open", description="Only those that may still happen or wait for a person")
    ] = False,
    limit: Annotated[int, Query(ge=1, le=SCHEDULES_LIMIT)] = 100,
) -> ScheduleList:
    """Scheduled changes of one flag or of all with what happened to them, open ones first."""
    return await state.operations.schedules(actor, flag_name, open_only=open_only, limit=limit)


@router.post("/api/flags/{name}/schedules", status_code=201, summary="Schedule a change", responses=_MUTATION)
async def schedule(
    state: State,
    actor: Caller,
    name: Name,
    body: ScheduleCreate,
    version: Version,
    key: Key = None,
    dry_run: DryRun = False,
) -> ScheduleView:
    """Set the flag at a time, or once a phase of a rollout has ended. Needs what the change itself would."""
    return await state.operations.schedule(actor, name, body, version=version, idempotency_key=key, dry_run=dry_run)


@router.post("/api/schedules/{schedule_id}/cancel", summary="Cancel a scheduled change", responses=_MUTATION)
async def cancel(
    state: State,
    actor: Caller,
    schedule_id: Annotated[str, Path(min_length=1, max_length=100)],
    body: ScheduleCancel,
    key: Key = None,
    dry_run: DryRun = False,
) -> ScheduleView:
    """Let it not happen. Cancelling it again changes nothing."""
    return await state.operations.cancel_schedule(actor, schedule_id, body, idempotency_key=key, dry_run=dry_run)
