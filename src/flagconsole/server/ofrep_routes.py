"""OFREP 0.3.0: flags evaluated by the server, and a stream that says when to ask again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response

from flagconsole.domain.errors import ShuttingDown, Unauthenticated
from flagconsole.domain.ofrep import ErrorCode
from flagconsole.domain.role import Actor
from flagconsole.operations.keys import actor_of, authenticate, key_hash
from flagconsole.server.event_stream import EventStream
from flagconsole.server.hub import Channel, Subscription
from flagconsole.server.ofrep_answer import (
    EVALUATE,
    EVALUATE_ONE,
    STREAM,
    answer,
    refetch_frame,
    refused,
)
from flagconsole.server.ofrep_evaluation import TENANT_MISSING, all_evaluated, context_of, evaluated, tenant_meant
from flagconsole.server.presented_key import PresentedKey, ProtocolClient
from flagconsole.server.state import ServerState, State, admitted, at_least


class _AnyText(PathConvertor):
    """A key as it comes, line breaks included: what is no flag's name is a flag that isn't found, not a route."""

    regex = "(?s:.*)"


register_url_convertor("any_text", _AnyText())

# OFREP has its own description, which these routes are tested against.
router = APIRouter(include_in_schema=False)


@router.post(EVALUATE_ONE)
async def evaluate_flag(state: State, actor: ProtocolClient, request: Request, key: str) -> Response:
    """One flag for the context's tenant."""
    tenant = tenant_meant(actor, context_of(await request.body()))
    now = (await state.now()).timestamp()
    ruleset = state.projection.ruleset
    if key not in ruleset.rules:
        return refused(key, ErrorCode.FLAG_NOT_FOUND, "the store has no such flag")
    body = evaluated(ruleset, key, tenant, now)
    return refused(key, ErrorCode.TARGETING_KEY_MISSING, TENANT_MISSING) if body is None else answer(body)


@router.post(EVALUATE)
async def evaluate_flags(
    state: State,
    actor: ProtocolClient,
    secret: PresentedKey,
    request: Request,
    if_none_match: Annotated[str | None, Header(max_length=300)] = None,
    flag_config_etag: Annotated[str | None, Query(alias="flagConfigEtag", max_length=90)] = None,
) -> Response:
    """All flags for the context's tenant. A client that was told of a change isn't answered from before it."""
    context = context_of(await request.body())
    tenant = tenant_meant(actor, context)
    if flag_config_etag is not None:
        await at_least(state, flag_config_etag)
    now = (await state.now()).timestamp()
    body, etag = all_evaluated(state.projection.ruleset, context, tenant, now, key_hash(secret or ""))
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if if_none_match is not None and etag in {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


async def listener(
    request: Request,
    state: State,
    secret: PresentedKey,
    ticket: Annotated[str | None, Query(max_length=200)] = None,
) -> Actor:
    """Who listens, if they may."""
    actor = await _listener(state, secret, ticket)
    return admitted(request, state, actor)


@router.get(STREAM)
async def stream(state: State, actor: Annotated[Actor, Depends(listener)]) -> EventStream:
    """Says when flags have changed. It begins with saying so, since what changed before it began isn't known to the client."""
    if state.hub.closing:
        raise ShuttingDown()
    subscription = Subscription(key_id=actor.key_id, instance_id=None, channel=Channel.OFREP)
    frames = state.hub.follow(subscription, lambda: refetch_frame(state.projection.ruleset))
    return EventStream(frames)


async def _listener(state: ServerState, secret: str | None, ticket: str | None) -> Actor:
    """Who listens: a browser's event source can't send headers, so the address that it was given says it.

    The ticket is the key's hash. The key doesn't follow from it, it opens nothing but this stream, which tells that
    something changed and not what, and it ends with the key.
    """
    if secret is None and ticket is None:
        raise Unauthenticated("Use the address from an answer's eventStreams.")
    async with state.operations.store.read() as reader:
        if secret is not None:
            return await authenticate(reader, secret)
        return actor_of(await reader.api_key(ticket or ""), await reader.now())
