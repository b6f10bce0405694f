"""An application that has its hot requests answered before anything else of it runs."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from flagconsole.server.hot_reads import HotReads
from flagconsole.server.hot_receipts import HotReceipts


class HotApp(FastAPI):
    """FastAPI, and in front of it while it runs ``hot_reads`` and ``hot_receipts``."""

    hot_reads: HotReads | None = None
    hot_receipts: HotReceipts | None = None

    def hot_reads_of(self, hashed: str) -> HotReads | None:
        """Those of whoever has the key with this hash: all have the same."""
        return self.hot_reads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            if scope["method"] == "POST":
                if self.hot_receipts is not None:
                    left = await self.hot_receipts.left(scope, receive, send)
                    if left is None:
                        return
                    receive = left
            elif self.hot_reads is not None and await self.hot_reads.answered(scope, send):
                return
        await super().__call__(scope, receive, send)
