"""API keys in the ways in which other protocols' clients send them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Header, Request

from flagconsole.domain.errors import Unauthenticated
from flagconsole.domain.role import Actor
from flagconsole.operations.keys import authenticated
from flagconsole.server.state import State, admitted

_HINT = "Send a valid key as 'Authorization: Bearer KEY', as 'Authorization: KEY' or as 'X-API-Key: KEY'."


async def presented_key(
    authorization: Annotated[str | None, Header(max_length=1000)] = None,
    x_api_key: Annotated[str | None, Header(max_length=1000)] = None,
) -> str | None:
    """The key that a request carries. Unleash's clients send it bare, OFREP's as a bearer token or as ``X-API-Key``."""
    return _key_of(authorization, x_api_key)


def _key_of(authorization: str | None, x_api_key: str | None) -> str | None:
    if authorization is None:
        return x_api_key
    scheme, space, rest = authorization.strip().partition(" ")
    return rest.strip() if space and scheme.lower() == "bearer" else authorization.strip()


def key_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The key in a request's bare headers, in any of these ways."""
    sent = {name: value.decode("latin-1") for name, value in headers if name in {b"authorization", b"x-api-key"}}
    return _key_of(sent.get(b"authorization"), sent.get(b"x-api-key"))


PresentedKey = Annotated[str | None, Depends(presented_key)]


async def protocol_client(request: Request, state: State, secret: PresentedKey) -> Actor:
    """Whose key it is. It may do what the route is for, or the request ends here."""
    if secret is None:
        raise Unauthenticated(_HINT)
    actor = await authenticated(state.operations.store, secret)
    return admitted(request, state, actor)


ProtocolClient = Annotated[Actor, Depends(protocol_client)]
