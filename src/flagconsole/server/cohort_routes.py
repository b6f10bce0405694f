"""Drawing cohorts, and explaining them."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Query, Response

from flagconsole.domain import requests as ask
from flagconsole.domain.cohort_views import AnyCohort, CohortResult
from flagconsole.domain.names import TenantId
from flagconsole.operations.cohorts import COHORT_LIMIT
from flagconsole.server.change_routes import DryRun, Key, Version
from flagconsole.server.flag_routes import Name, TenantQuery
from flagconsole.server.state import Caller, Fresh, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)


@router.get("/api/flags/{name}/cohort", summary="A flag's cohort", dependencies=[Fresh], responses=problems(404))
async def cohort(
    state: State,
    actor: Caller,
    name: Name,
    tenant_id: TenantQuery = None,
    inside: Annotated[bool | None, Query(description="Only tenants inside, or only those outside")] = None,
    after: Annotated[TenantId | None, Query(description="`next_after` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=COHORT_LIMIT)] = 100,
) -> AnyCohort:
    """The draw in force: its strata, shortfalls and time zones, and a page of tenants with why each is in or out. Of a canary that
    goes by none, by hash or of named tenants, the same page (`drawn` is false); of any other flag its newest draw."""
    return await state.operations.cohort(actor, name, tenant_id=tenant_id, inside=inside, after=after, limit=limit)


@router.post("/api/flags/{name}/cohort", summary="Draw a cohort", responses=problems(404, 409, 412, 413, 415, 428))
async def draw_cohort(
    state: State,
    actor: Caller,
    response: Response,
    name: Name,
    body: ask.CohortDraw,
    version: Version,
    key: Key = None,
    dry_run: DryRun = False,
) -> CohortResult:
    """Draw a cohort from the known tenants and give it to the flag. What is a canary keeps the tenants that it has."""
    started = time.perf_counter()
    answer = await state.operations.draw_cohort(
        actor, name, body, version=version, idempotency_key=key, dry_run=dry_run
    )
    state.meters.mutation_seconds.labels("cohort").observe(time.perf_counter() - started)
    result = answer.result
    if result.changed and not result.dry_run and not result.replayed and result.change is not None:
        state.meters.changes.labels(result.change.action.value).inc()
        await state.follower.committed()
    response.headers["ETag"] = f'"{result.flag.version}"'
    if result.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return answer
