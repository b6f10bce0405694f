"""Changing many flags at once, wholly or not at all."""

from __future__ import annotations

import time
from collections.abc import Awaitable

from fastapi import APIRouter, Response

from flagconsole.domain.bulk import BulkResult, BulkRollback, BulkSet
from flagconsole.server.change_routes import DryRun, Key
from flagconsole.server.state import Caller, ServerState, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

_BULK = problems(404, 409, 412, 413, 415, 428)


@router.post("/api/bulk/set", summary="Change many flags as one set", responses=_BULK)
async def bulk_set(
    state: State, actor: Caller, response: Response, body: BulkSet, key: Key = None, dry_run: DryRun = False
) -> BulkResult:
    """Change every flag that the body names, or none."""
    work = state.operations.bulk_set(actor, body, idempotency_key=key, dry_run=dry_run)
    return await done(state, response, "bulk_set", work)


@router.post("/api/bulk/rollback", summary="Roll many flags back as one set", responses=_BULK)
async def bulk_rollback(
    state: State, actor: Caller, response: Response, body: BulkRollback, key: Key = None, dry_run: DryRun = False
) -> BulkResult:
    """Undo the newest standing change of each flag of a domain, or exactly the changes named."""
    work = state.operations.bulk_rollback(actor, body, idempotency_key=key, dry_run=dry_run)
    return await done(state, response, "bulk_rollback", work)


async def done(state: ServerState, response: Response, name: str, work: Awaitable[BulkResult]) -> BulkResult:
    """Carry it out, count it, and answer only once this server's own view has it."""
    started = time.perf_counter()
    result = await work
    state.meters.mutation_seconds.labels(name).observe(time.perf_counter() - started)
    if result.changed and not result.dry_run and not result.replayed:
        for outcome in result.outcomes:
            if outcome.change is not None:
                state.meters.changes.labels(outcome.change.action.value).inc()
        await state.follower.committed()
    if result.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return result
