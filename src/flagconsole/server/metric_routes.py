"""Measurements: what SDKs and helpdesks report, and what is answered about a flag."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from flagconsole.domain.duration import DURATION_PATTERN, parse_duration
from flagconsole.domain.flag_metrics import FlagMetrics
from flagconsole.domain.stale import UNUSED_DAYS, StaleList
from flagconsole.domain.telemetry import FeedbackBatch, Taken, TelemetryBatch
from flagconsole.operations.metrics import LEAST_WINDOW, MOST_WINDOW, flag_metrics
from flagconsole.operations.stale import stale_flags
from flagconsole.server.flag_routes import Name, view_of
from flagconsole.server.state import Caller, Fresh, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)

_Duration = Query(pattern=DURATION_PATTERN, examples=["1h"])


@router.post("/api/telemetry", summary="Report what an SDK measured", responses=problems(413, 415))
async def telemetry(state: State, actor: Caller, body: TelemetryBatch) -> Taken:
    """Take a batch; the same ``batch_id`` counts once. It is kept when the answer comes."""
    return await state.intake.telemetry(actor, body)


@router.post("/api/events", summary="Report CSAT answers, tickets, conversions", responses=problems(413, 415))
async def events(state: State, actor: Caller, body: FeedbackBatch) -> Taken:
    """Take what people said or did; the same ``batch_id`` counts once. It is kept when the answer comes."""
    return await state.intake.feedback(actor, body)


@router.get(
    "/api/flags/{name}/metrics",
    summary="What was measured of a flag",
    dependencies=[Fresh],
    responses=problems(404),
)
async def metrics(
    state: State,
    actor: Caller,
    name: Name,
    window: Annotated[str, _Duration] = "1h",
    step: Annotated[str | None, _Duration] = None,
) -> FlagMetrics:
    """The newest ``window``: each group's series and totals, and the canary against the control. Gaps are null."""
    view_of(state, name)
    seconds = parse_duration(window, "window", least=LEAST_WINDOW, most=MOST_WINDOW)
    width = None if step is None else parse_duration(step, "step", least=1, most=seconds)
    return await flag_metrics(state.operations.store.metrics, name, await state.now(), seconds, width)


@router.get("/api/stale", summary="The flags that are due for removal", dependencies=[Fresh], responses=problems())
async def stale(
    state: State, actor: Caller, unused_days: Annotated[int, Query(ge=1, le=3650)] = UNUSED_DAYS
) -> StaleList:
    """The flags past their date, on for longer than their plan's stable period, or without operations for
    ``unused_days``, each with its reasons."""
    flags = tuple((await state.operations.flags(actor)).flags)
    return await stale_flags(state.operations.store, flags, await state.now(), unused_days)
