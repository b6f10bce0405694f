"""``GET /api/stream``: server-sent events."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Header, Query

from flagconsole.domain.errors import InvalidInput, ShuttingDown
from flagconsole.domain.instance import id_under
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.server.event_stream import EventStream
from flagconsole.server.hub import Subscription, Topic
from flagconsole.server.state import Caller, ServerState, State, at_least, parse_position

router = APIRouter()

_WHO = r"^[\x20-\x7e]{1,200}$"
_TOPIC: Final = "|".join(Topic)
_TOPICS: Final = rf"^({_TOPIC})(,({_TOPIC}))*$"


@router.get(
    "/api/stream",
    summary="Changes, heartbeats and receipts as they happen",
    response_class=EventStream,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "The stream"}},
)
async def stream(
    state: State,
    actor: Caller,
    include: Annotated[str | None, Query(pattern=_TOPICS, max_length=100, examples=["receipts,incidents"])] = None,
    last_event_id: Annotated[str | None, Header(max_length=90)] = None,
    x_flagconsole_instance: Annotated[str | None, Header(pattern=_WHO)] = None,
    x_flagconsole_service: Annotated[str | None, Header(pattern=_WHO)] = None,
    x_flagconsole_sdk: Annotated[str | None, Header(pattern=_WHO)] = None,
) -> EventStream:
    """Follow the store. With ``Last-Event-ID`` from there on, else from a snapshot.

    ``include`` asks for more: a list of receipts, incidents, rollouts. Incidents and rollouts name tenants and people, so
    they need a viewer's key.
    """
    if include is not None and (include != Topic.RECEIPTS or actor.tenant_id is not None):
        authorize(actor, Operation.READ_FLEET)
    if state.hub.closing:
        raise ShuttingDown()
    position = None if last_event_id is None else await _position(state, last_event_id)
    if x_flagconsole_instance is not None:
        state.book.connected(
            id_under(x_flagconsole_instance, actor.tenant_id),
            x_flagconsole_service or "unknown",
            x_flagconsole_sdk or "unknown",
            await state.now(),
        )
    heartbeat = await state.follower.heartbeat_frame()

    subscription = Subscription(
        topics=frozenset(Topic(name) for name in include.split(",")) if include else frozenset(),
        key_id=actor.key_id,
        instance_id=x_flagconsole_instance,
        tenant_id=actor.tenant_id,
    )
    frames = state.hub.follow(subscription, lambda: heartbeat + _backlog(state, position, actor.tenant_id))
    return EventStream(frames, subscription=subscription)


async def _position(state: ServerState, last_event_id: str) -> tuple[str, int]:
    try:
        parse_position(last_event_id)
    except InvalidInput as error:
        raise InvalidInput(field="Last-Event-ID", problem="must be epoch:revision", value=last_event_id) from error
    return await at_least(state, last_event_id)


def _backlog(state: ServerState, position: tuple[str, int] | None, tenant_id: str | None) -> bytes:
    """What brings the client to the head: the events it lacks, or a snapshot. Events of the past are kept as they are for
    everybody, so who sees less of them gets a snapshot instead."""
    projection = state.projection
    if position == (projection.ruleset.epoch, projection.ruleset.revision):
        return b""
    if position is not None and position[0] == projection.ruleset.epoch and tenant_id is None:
        frames = projection.frames_after(position[1])
        if frames is not None:
            return b"".join(frames)
    return projection.snapshot_frame(tenant_id)
