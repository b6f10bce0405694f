"""What one route requires of a flag: as dependency, middleware and decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from flagconsole.sdk.asgi.refusal import FeatureDisabled, Refused, TenantRequired
from flagconsole.sdk.flag_client import FlagClient
from flagconsole.sdk.mode import Mode, mode_of

F = TypeVar("F", bound=Callable[..., Any])
#: Where the scope keeps the modes, by flag.
SCOPE_KEY: Final = "flagconsole"
_APPLICATION: Final = ["scope", "receive", "send"]


def request_mode(connection: HTTPConnection, flag: str) -> Mode:
    """The mode that was set for this request; ``disabled`` where nothing required the flag."""
    modes: dict[str, Mode] = connection.scope.get(SCOPE_KEY, {})
    return modes.get(flag, Mode.DISABLED)


class Requirement:
    """Made by ``FlagGate.require_flag``."""

    def __init__(
        self,
        client: FlagClient,
        flag: str,
        shadow_ok: bool,
        tenant_of_connection: Callable[..., Any],
        tenant: Callable[..., Any] | None,
    ) -> None:
        self._client = client
        self._flag = flag
        self._shadow_ok = shadow_ok
        self._tenant_of_connection = tenant or tenant_of_connection
        self._tenant_of_call = tenant
        # FastAPI looks through this for parameters, and for whether it has to await.
        self.__wrapped__ = self._let_through

    @overload
    def __call__(self, connection: HTTPConnection) -> Any: ...
    @overload
    def __call__(self, connection: F) -> F: ...
    def __call__(self, connection: Any) -> Any:
        """Of a connection: its mode, to be awaited, or ``Refused``. Of an ASGI application: one that lets requests through. Of another
        function: one that does, or raises ``Refused``."""
        if isinstance(connection, HTTPConnection):
            return self._let_through(connection)
        if _is_application(connection):
            return _Guarded(self, connection)
        return self._decorated(connection)

    async def _let_through(self, connection: HTTPConnection) -> Mode:
        """Set the mode of the request and return it. Raises ``Refused``."""
        tenant = self._tenant_of_connection(connection)
        if inspect.isawaitable(tenant):
            tenant = await tenant
        return self._allowed(tenant, connection.scope)

    async def guard(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through to ``app``, or answer it."""
        try:
            await self._let_through(HTTPConnection(scope, receive))
        except Refused as refused:
            await refused.answer(scope, receive, send)
        else:
            await app(scope, receive, send)

    def _allowed(self, tenant: Any, scope: Scope | None) -> Mode:
        if tenant is not None and not isinstance(tenant, str):
            raise TypeError(f"a tenant must be a string, not {type(tenant).__name__}")
        if not tenant or tenant.isspace():
            raise TenantRequired(self._flag)
        state = self._client.state(self._flag, tenant)
        mode = mode_of(state)
        if mode is Mode.DISABLED or (mode is Mode.SHADOW and not self._shadow_ok):
            raise FeatureDisabled(self._flag, state)
        if scope is not None:
            scope[SCOPE_KEY] = {**scope.get(SCOPE_KEY, {}), self._flag: mode}
        return mode

    def _decorated(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"a generator can't be guarded: {function.__qualname__}")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def guarded_async(*args: Any, **kwargs: Any) -> Any:
                tenant, scope = self._tenant_of_args(args, kwargs)
                self._allowed(await tenant if inspect.isawaitable(tenant) else tenant, scope)
                return await function(*args, **kwargs)

            return guarded_async

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            tenant, scope = self._tenant_of_args(args, kwargs)
            self._allowed(tenant, scope)
            return function(*args, **kwargs)

        return guarded

    def _tenant_of_args(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Scope | None]:
        """The tenant (perhaps to be awaited), and the scope of the request among the arguments."""
        connections = [value for value in (*args, *kwargs.values()) if isinstance(value, HTTPConnection)]
        scope = connections[0].scope if connections else None
        if self._tenant_of_call is not None:
            return self._tenant_of_call(*args, **kwargs), scope
        if not connections:
            raise TypeError(
                f"require_flag({self._flag!r}) decorates a function without a request: give it tenant=, which gets the arguments"
            )
        return self._tenant_of_connection(connections[0]), scope


class _Guarded:
    """An ASGI application behind a requirement. Not a function, which Starlette would take for an endpoint."""

    def __init__(self, requirement: Requirement, app: ASGIApp) -> None:
        self._requirement = requirement
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        else:
            await self._requirement.guard(self._app, scope, receive, send)


def _is_application(function: object) -> bool:
    try:
        return list(inspect.signature(function).parameters) == _APPLICATION  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
