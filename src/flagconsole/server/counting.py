"""Counts requests by route and status, without touching what passes through."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Counting:
    """ASGI middleware for ``Meters.requests``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Known only now: routing has put the route into the scope on the way in.
                route = getattr(scope.get("route"), "path", "other")
                scope["app"].state.server.meters.requests.labels(route, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted)
