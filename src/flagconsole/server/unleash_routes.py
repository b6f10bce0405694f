"""Unleash's client API: what its SDKs need to follow this store when their URL is changed to this server's ``/api``."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from flagconsole.domain.errors import ShuttingDown
from flagconsole.server.event_stream import EventStream
from flagconsole.server.follower import HEARTBEAT_SECONDS
from flagconsole.server.hub import Channel, Subscription
from flagconsole.server.presented_key import ProtocolClient
from flagconsole.server.representation import accepted
from flagconsole.server.state import ServerState, State, at_least, parse_position
from flagconsole.server.strict_route import StrictRoute
from flagconsole.server.unleash_client import Asker, Metrics, Registration, UnleashClient
from flagconsole.server.unleash_feed import position_of

# Unleash describes these calls, not our own document.
router = APIRouter(route_class=StrictRoute, include_in_schema=False)


@router.get("/api/client/features")
async def features(
    state: State,
    actor: ProtocolClient,
    asker: Asker,
    request: Request,
    if_none_match: Annotated[str | None, Header(max_length=300)] = None,
) -> Response:
    """All flags as features. A client that shows a later position than this server's is not answered from before it."""
    position = None if if_none_match is None else position_of(if_none_match, actor.tenant_id)
    if position is not None:
        await at_least(state, position)
    holds = None if position is None else parse_position(position)
    state.book.asked(*asker.under(actor.tenant_id), await state.now(), holds)
    answer = await state.prepared.features(actor.tenant_id).answer(if_none_match, accepted(request))
    return answer.response()


@router.post("/api/client/register", status_code=202)
async def register(state: State, actor: ProtocolClient, body: Registration) -> Response:
    """A client says that it has started."""
    await _heard(state, body.client.under(actor.tenant_id))
    return Response(status_code=202)


@router.post("/api/client/metrics", status_code=202)
async def metrics(state: State, actor: ProtocolClient, asker: Asker, body: Metrics) -> Response:
    """A client says how often it was asked for which flag. It is kept when the answer comes."""
    report = body.report()
    if report is not None:
        await state.intake.asked(report)
    client = asker if asker.service != "unknown" else body.client
    await _heard(state, client.under(actor.tenant_id))
    return Response(status_code=202)


@router.get("/api/client/streaming")
async def streaming(
    state: State,
    actor: ProtocolClient,
    asker: Asker,
    last_event_id: Annotated[str | None, Header(max_length=90)] = None,
) -> EventStream:
    """All flags, and then each change. It always begins with all, whatever the client has; but never with what is older."""
    if state.hub.closing:
        raise ShuttingDown()
    if last_event_id:
        await at_least(state, last_event_id)
    subscription = Subscription(
        key_id=actor.key_id, instance_id=asker.instance_id, channel=Channel.UNLEASH, tenant_id=actor.tenant_id
    )
    unleash, tenant = state.unleash, actor.tenant_id
    frames = state.hub.follow(subscription, lambda: unleash.of(tenant).hydration(state.projection.ruleset))
    return EventStream(_seen(state, asker, tenant, frames))


async def _heard(state: ServerState, client: UnleashClient) -> None:
    state.book.heard(*client, await state.now())


async def _seen(
    state: ServerState, asker: UnleashClient, tenant_id: str | None, frames: AsyncGenerator[bytes]
) -> AsyncGenerator[bytes]:
    """The frames. What the connection has taken the client was told, and it counts as heard from while that goes on. What it
    makes of them isn't known."""
    told, due = ("", 0), 0.0
    async with aclosing(frames):
        async for data in frames:
            # All that was published up to here is in ``data`` or was sent before.
            position = state.unleash.of(tenant_id).position
            yield data
            if position > told or time.monotonic() >= due:
                told, due = position, time.monotonic() + HEARTBEAT_SECONDS
                state.book.told(*asker.under(tenant_id), await state.now(), told)
