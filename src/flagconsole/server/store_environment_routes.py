"""The environment that a key belongs to."""

from __future__ import annotations

from fastapi import APIRouter

from flagconsole.domain.store_environment import EnvironmentList
from flagconsole.server.state import Caller, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)


@router.get("/api/environments", summary="The key's environment", responses=problems())
async def environments(state: State, actor: Caller) -> EnvironmentList:
    """The environment of this key. Nobody is told of others."""
    return await state.operations.environments(actor)
