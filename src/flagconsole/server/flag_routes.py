"""Reading flags: listing, detail, history, blast radius, snapshot."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from flagconsole.domain.errors import FlagNotFound, TenantRequired
from flagconsole.domain.names import TenantId
from flagconsole.domain.role import Actor
from flagconsole.domain.states import FlagState
from flagconsole.domain.views import BlastView, FlagDetail, FlagListing, FlagView, HistoryPage
from flagconsole.operations import reading
from flagconsole.operations.service import HISTORY_LIMIT, tenant_of_actor
from flagconsole.server.representation import accepted
from flagconsole.server.state import Caller, Fresh, ServerState, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute, dependencies=[Fresh])

Name = Annotated[str, Path(min_length=1, max_length=200, examples=["invoices.write"])]
TenantQuery = Annotated[TenantId | None, Query()]
Limit = Annotated[int, Query(ge=1, le=HISTORY_LIMIT)]
Before = Annotated[int | None, Query(ge=1, le=2**53)]


def view_of(state: ServerState, name: str) -> FlagView:
    """The flag in the server's view, or ``FlagNotFound``."""
    view = state.projection.flags.get(name)
    if view is None:
        raise FlagNotFound(flag=name)
    return view


@router.get("/api/flags", summary="All flags", responses=problems(), response_model=FlagListing)
async def flags(state: State, actor: Caller, tenant_id: TenantQuery = None) -> Response:
    """All flags, the overrides in force and, for a tenant, its effective states."""
    body = state.flag_lists.body(actor, tenant_of_actor(actor, tenant_id), await state.now())
    return Response(body, media_type="application/json")


@router.get("/api/flags/{name}", summary="One flag", responses=problems(404))
async def flag(
    state: State, actor: Caller, response: Response, name: Name, tenant_id: TenantQuery = None
) -> FlagDetail:
    """One flag and, for a tenant, its effective state and override."""
    view, tenant, now = view_of(state, name), tenant_of_actor(actor, tenant_id), await state.now()
    override = known = None
    if tenant is not None:
        override = state.projection.overrides.get((name, tenant))
        async with state.operations.store.read() as reader:
            known = await reader.tenant_known(tenant)
    response.headers["ETag"] = f'"{view.version}"'
    ruleset = state.projection.ruleset
    return reading.detail(ruleset, view, override, tenant, now, actor=actor, tenant_known=known)


@router.get("/api/flags/{name}/history", summary="Changes of one flag", responses=problems(404))
async def flag_history(
    state: State, actor: Caller, name: Name, limit: Limit = 50, before: Before = None, tenant_id: TenantQuery = None
) -> HistoryPage:
    """The flag's changes, newest first."""
    return await state.operations.history(actor, name, limit=limit, before=before, tenant_id=tenant_id)


@router.get("/api/history", summary="Changes of all flags", responses=problems())
async def history(
    state: State,
    actor: Caller,
    limit: Limit = 50,
    before: Before = None,
    tenant_id: TenantQuery = None,
    domain: Annotated[str | None, Query(min_length=1, max_length=64, pattern="^[a-z0-9][a-z0-9_-]*$")] = None,
) -> HistoryPage:
    """All changes, newest first."""
    return await state.operations.history(actor, limit=limit, before=before, tenant_id=tenant_id, domain=domain)


@router.get("/api/flags/{name}/blast-radius", summary="What a change would do", responses=problems(404))
async def blast_radius(
    state: State, actor: Caller, name: Name, flag_state: Annotated[FlagState, Query(alias="state")] = FlagState.KILL
) -> BlastView:
    """What setting the flag to ``state`` would do to the known tenants. Nothing is changed."""
    projection, now = state.projection, await state.now()
    instances = reading.instance_list(projection.head, state.book.all(now), None, now)
    return reading.blast_of(
        projection.ruleset, view_of(state, name), flag_state, projection.tenants, instances.expected, now
    )


@router.get(
    "/api/snapshot",
    summary="All rules, for evaluation in process",
    responses={
        **problems(),
        200: {"content": {"application/json": {"schema": {"type": "object"}}}, "description": "The snapshot"},
        304: {"description": "The client has it"},
    },
    response_class=Response,
)
async def snapshot(
    state: State,
    actor: Caller,
    request: Request,
    if_none_match: Annotated[str | None, Header(max_length=300)] = None,
) -> Response:
    """The snapshot of the newest revision."""
    answer = await state.prepared.snapshot(actor.tenant_id).answer(if_none_match, accepted(request))
    return answer.response()


def required_tenant(actor: Actor, tenant_id: str | None) -> str:
    """The tenant meant, or ``TenantRequired``."""
    tenant = tenant_of_actor(actor, tenant_id)
    if tenant is None:
        raise TenantRequired("Give tenant_id, or use a tenant's key.")
    return tenant
