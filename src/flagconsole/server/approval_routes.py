"""The second person over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from flagconsole.domain.approval import Approval, ApprovalDecline, ApprovalList
from flagconsole.server.state import Caller, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

ApprovalId = Annotated[str, Path(min_length=1, max_length=100)]


@router.get("/api/approvals", summary="What waits for a second person, or did", responses=problems())
async def approvals(state: State, actor: Caller) -> ApprovalList:
    """The newest 100 requests."""
    return await state.operations.approvals(actor)


@router.post(
    "/api/approvals/{approval_id}/approve", summary="Allow what somebody else asked", responses=problems(404, 409)
)
async def approve(state: State, actor: Caller, approval_id: ApprovalId) -> Approval:
    """Whoever asked can carry it out within the hour, once, by asking the same again."""
    return await state.operations.approve(actor, approval_id)


@router.post(
    "/api/approvals/{approval_id}/decline",
    summary="Refuse what somebody asked",
    responses=problems(404, 409, 413, 415),
)
async def decline(state: State, actor: Caller, approval_id: ApprovalId, body: ApprovalDecline) -> Approval:
    """What was allowed and not done yet isn't allowed any more either. Asking the same again makes a new request."""
    return await state.operations.decline(actor, approval_id, body)
