"""An application that has its hot reads answered before anything else of it runs."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from flagconsole.server.hot_reads import HotReads


class HotApp(FastAPI):
    """FastAPI, and ``hot_reads`` in front of it while it runs."""

    hot_reads: HotReads | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        hot = self.hot_reads
        if hot is None or scope["type"] != "http" or not await hot.answered(scope, send):
            await super().__call__(scope, receive, send)
