"""Shadow executions: what services report, and what is answered about a flag."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from flagconsole.domain.duration import DURATION_PATTERN, parse_duration
from flagconsole.domain.shadow import ShadowBatch
from flagconsole.domain.shadow_report import ShadowReport
from flagconsole.domain.telemetry import Taken
from flagconsole.operations.shadow_reading import LEAST_WINDOW, MOST_WINDOW, shadow_report
from flagconsole.server.flag_routes import Name, view_of
from flagconsole.server.state import Caller, Fresh, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)


@router.post("/api/shadow-executions", summary="Report shadow executions", responses=problems(413, 415))
async def executions(state: State, actor: Caller, body: ShadowBatch) -> Taken:
    """Take a batch; the same ``batch_id`` counts once. It is kept when the answer comes."""
    return await state.intake.shadow(actor, body)


@router.get(
    "/api/flags/{name}/shadow-report",
    summary="What shadow executions say of a flag",
    dependencies=[Fresh],
    responses=problems(404),
)
async def report(
    state: State,
    actor: Caller,
    name: Name,
    window: Annotated[str, Query(pattern=DURATION_PATTERN, examples=["24h"])] = "24h",
) -> ShadowReport:
    """The newest ``window``: numbers, readiness with its parts, and what stands in the way. What wasn't measured is null."""
    flag = view_of(state, name)
    seconds = parse_duration(window, "window", least=LEAST_WINDOW, most=MOST_WINDOW)
    states = {other.flag_name: other.current_state for other in state.projection.flags.values()}
    return await shadow_report(state.operations.store.metrics, actor, flag, states, await state.now(), seconds)
