"""Break-glass over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from flagconsole.domain.break_glass import GrantBegin, GrantList, GrantReview, GrantView
from flagconsole.server.state import Caller, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

GrantId = Annotated[str, Path(min_length=1, max_length=100)]


@router.get("/api/break-glass", summary="Admin's rights that were taken for a time", responses=problems())
async def break_glass(state: State, actor: Caller) -> GrantList:
    """The newest 100, each with everything that was done under it."""
    return await state.operations.break_glass(actor)


@router.post(
    "/api/break-glass", status_code=201, summary="Take admin's rights for a time", responses=problems(409, 413, 415)
)
async def begin(state: State, actor: Caller, body: GrantBegin) -> GrantView:
    """Give this operator's key admin's rights for ``minutes``. Everything done under them is marked."""
    return await state.operations.begin_break_glass(actor, body)


@router.delete("/api/break-glass/{grant_id}", summary="Give admin's rights back", responses=problems(404))
async def end(state: State, actor: Caller, grant_id: GrantId) -> GrantView:
    """End it before its time is over: one's own, or as an admin anybody's."""
    return await state.operations.end_break_glass(actor, grant_id)


@router.post(
    "/api/break-glass/{grant_id}/review", summary="Review what was done", responses=problems(404, 409, 413, 415)
)
async def review(state: State, actor: Caller, grant_id: GrantId, body: GrantReview) -> GrantView:
    """Say that somebody else has looked at it."""
    return await state.operations.review_break_glass(actor, grant_id, body)
