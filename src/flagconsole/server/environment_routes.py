"""The environment as a whole: exported, planned and applied."""

from __future__ import annotations

from fastapi import APIRouter, Response

from flagconsole.domain.bulk import BulkResult
from flagconsole.domain.environment import Apply, EnvironmentExport, EnvironmentPlan, PlanRequest
from flagconsole.server.bulk_routes import done
from flagconsole.server.change_routes import DryRun, Key
from flagconsole.server.state import Caller, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)


@router.get("/api/export", summary="The environment as a whole", responses=problems())
async def export(state: State, actor: Caller) -> EnvironmentExport:
    """Every flag with all its properties, and every override in force."""
    return await state.operations.export(actor)


@router.post("/api/plan", summary="What applying an environment would change", responses=problems(404, 409, 413, 415))
async def plan(state: State, actor: Caller, body: PlanRequest) -> EnvironmentPlan:
    """The difference between the store and the environment, and the hash to apply it by. Changes nothing."""
    return await state.operations.plan(actor, body)


@router.post("/api/apply", summary="Carry out a plan", responses=problems(404, 409, 412, 413, 415, 428))
async def apply(
    state: State, actor: Caller, response: Response, body: Apply, key: Key = None, dry_run: DryRun = False
) -> BulkResult:
    """Bring the store to what the environment names, wholly or not at all, where nothing has moved since the plan."""
    work = state.operations.apply(actor, body, idempotency_key=key, dry_run=dry_run)
    return await done(state, response, "apply", work)
