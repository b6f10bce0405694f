"""Answers to requests that a flag doesn't let through."""

from __future__ import annotations

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from flagconsole.domain.states import FlagState

#: A web socket is refused before it is accepted, which its client sees as a 403; this is the code of the closing.
_POLICY_VIOLATION: Final = 1008
#: Another tenant, or the same one a second later, may well be let through.
_HEADERS: Final = {"Cache-Control": "no-store"}


class Refused(HTTPException):
    """A request that must not reach the feature. ``body`` is what is answered, as JSON."""

    def __init__(self, status: int, body: dict[str, str]) -> None:
        super().__init__(status, detail=body["message"], headers=dict(_HEADERS))
        self.body = body

    @property
    def response(self) -> Response:
        """The answer."""
        return JSONResponse(self.body, self.status_code, headers=_HEADERS)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or close a web socket before it is open."""
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(_POLICY_VIOLATION, self.body["code"])
        else:
            await self.response(scope, receive, send)


class FeatureDisabled(Refused):
    """The flag is not on for the tenant: 403 with ``code``, ``flag``, ``state`` and ``message``."""

    def __init__(self, flag: str, state: FlagState) -> None:
        said = "has been turned off for everyone" if state is FlagState.KILL else "is not available to this tenant"
        body = {"code": "FEATURE_DISABLED", "flag": flag, "state": state.value, "message": f"{flag} {said}"}
        super().__init__(403, body)
        self.flag = flag
        self.state = state


class TenantRequired(Refused):
    """Nobody knows whose request it is: 401 with ``code`` and ``message``."""

    def __init__(self, flag: str) -> None:
        super().__init__(401, {"code": "TENANT_REQUIRED", "message": f"{flag} needs a tenant"})


async def answer_refusal(connection: HTTPConnection, refused: Exception) -> Response | None:
    """The exception handler that applications install for ``Refused``."""
    assert isinstance(refused, Refused)
    if isinstance(connection, WebSocket):
        await connection.close(_POLICY_VIOLATION, refused.body["code"])
        return None
    return refused.response
