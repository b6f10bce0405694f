"""What needs no key: health and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel

from flagconsole import __version__
from flagconsole.domain.states import FlagState
from flagconsole.server.state import ServerState, State

router = APIRouter()


class Health(BaseModel):
    """``live``: the process answers. ``ready``: it can read its store and is not shutting down."""

    status: str
    live: bool
    ready: bool
    version: str
    epoch: str
    revision: int
    feature_flags: dict[str, FlagState]


@router.get("/health", summary="Liveness, readiness, and each flag's state", responses={503: {"model": Health}})
async def health(state: State, response: Response) -> Health:
    """What probes and runbooks read."""
    health = health_view(state)
    if not health.ready:
        response.status_code = 503
    return health


def health_view(state: ServerState) -> Health:
    """The health of one environment's part of the server."""
    ruleset = state.projection.ruleset
    ready = state.follower.healthy and not state.hub.closing
    return Health(
        status="ok" if ready else "unavailable",
        live=True,
        ready=ready,
        version=__version__,
        epoch=ruleset.epoch,
        revision=ruleset.revision,
        feature_flags={name: rule.state for name, rule in sorted(ruleset.rules.items())},
    )


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The metrics"}},
)
async def metrics(state: State) -> Response:
    """The server's own metrics in Prometheus' text format."""
    return Response(state.meters.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
