"""OFREP 0.3.0: flags evaluated by the server, and a stream that says when to ask again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import TypeAdapter, ValidationError
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response

from flagconsole.domain.errors import InvalidInput, ShuttingDown, Unauthenticated
from flagconsole.domain.names import TenantId
from flagconsole.domain.ofrep import ErrorCode, failure, success
from flagconsole.domain.role import Actor
from flagconsole.operations.keys import actor_of, authenticate, key_hash
from flagconsole.operations.service import tenant_of_actor
from flagconsole.server import strict_json
from flagconsole.server.event_stream import EventStream
from flagconsole.server.hub import Channel, Subscription
from flagconsole.server.ofrep_answer import (
    EVALUATE,
    STREAM,
    answer,
    encoded,
    etag_of,
    event_stream,
    refetch_frame,
    refused,
)
from flagconsole.server.presented_key import PresentedKey, ProtocolClient
from flagconsole.server.state import ServerState, State, admitted, at_least


class _AnyText(PathConvertor):
    """A key as it comes, line breaks included: what is no flag's name is a flag that isn't found, not a route."""

    regex = "(?s:.*)"


register_url_convertor("any_text", _AnyText())

# OFREP has its own description, which these routes are tested against.
router = APIRouter(include_in_schema=False)

_TENANT: TypeAdapter[str] = TypeAdapter(TenantId)
_TENANT_MISSING = "this flag's answer depends on the tenant: send its id as the context's targetingKey"


@router.post(f"{EVALUATE}/{{key:any_text}}")
async def evaluate_flag(state: State, actor: ProtocolClient, request: Request, key: str) -> Response:
    """One flag for the context's tenant."""
    tenant = _tenant(actor, await _context(request))
    if key not in state.projection.ruleset.rules:
        return refused(key, ErrorCode.FLAG_NOT_FOUND, "the store has no such flag")
    body = _evaluated(state, key, tenant, (await state.now()).timestamp())
    return refused(key, ErrorCode.TARGETING_KEY_MISSING, _TENANT_MISSING) if body is None else answer(body)


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
    context = await _context(request)
    tenant = _tenant(actor, context)
    if flag_config_etag is not None:
        await at_least(state, flag_config_etag)
    now = (await state.now()).timestamp()
    flags = [
        _evaluated(state, key, tenant, now) or failure(key, ErrorCode.TARGETING_KEY_MISSING, _TENANT_MISSING)
        for key in sorted(state.projection.ruleset.rules)
    ]
    body = encoded({"flags": flags, "eventStreams": [event_stream(key_hash(secret or ""))]})
    headers = {"ETag": etag_of(context, body), "Cache-Control": "no-cache"}
    if if_none_match is not None and headers["ETag"] in {
        tag.strip().removeprefix("W/") for tag in if_none_match.split(",")
    }:
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


async def _context(request: Request) -> dict[str, Any]:
    """The evaluation context. One that is left out is empty, since that is how a client without any asks."""
    body = strict_json.parse(await request.body())
    context = body.get("context", {}) if isinstance(body, dict) else None
    if not isinstance(context, dict):
        raise InvalidInput(field="context", problem="must be an object", value=type(context).__name__)
    return context


def _tenant(actor: Actor, context: dict[str, Any]) -> str | None:
    """The tenant that is meant: the context's targeting key, or else that of the API key."""
    given = context.get("targetingKey")
    if given is None or given == "":
        return tenant_of_actor(actor, None)
    try:
        tenant = _TENANT.validate_python(given, strict=True)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        shown = given if isinstance(given, str) else type(given).__name__
        raise InvalidInput(
            field="targetingKey", problem=f"must be a tenant's id: {problem}", value=shown[:100]
        ) from None
    return tenant_of_actor(actor, tenant)


def _evaluated(state: ServerState, key: str, tenant: str | None, now: float) -> dict[str, Any] | None:
    """The flag's answer; None where it depends on a tenant that wasn't named."""
    ruleset = state.projection.ruleset
    evaluation = ruleset.evaluate_for_all(key, now) if tenant is None else ruleset.evaluate(key, tenant, now)
    return None if evaluation is None else success(evaluation, ruleset.rules.get(key))
