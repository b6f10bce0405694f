"""A real server on a real port, in a thread of the test's process."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from types import TracebackType
from typing import Any

import httpx

from flagconsole.domain.requests import KeyCreate
from flagconsole.domain.role import Role
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.rollout.response import Response
from flagconsole.server.app import create_app
from flagconsole.server.bounds import Bounds
from flagconsole.server.run import Server, configured
from flagconsole.store import open_store


class LiveServer:
    """Serves a store until the ``with`` ends. ``keys`` holds one key of each role."""

    def __init__(
        self,
        store_url: str,
        *,
        requires_versions: bool = False,
        requires_approvals: bool = False,
        port: int = 0,
        bounds: Bounds | None = None,
        response: Response | None = None,
    ) -> None:
        self._store_url = store_url
        self._requires_versions = requires_versions
        self._bounds = bounds
        self._response = response
        self._requires_approvals = requires_approvals
        # By its protocol asyncio knows that it may switch Nagle's algorithm off; without, each answer takes 40 ms.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.keys: dict[Role, str] = {}
        self._ready = threading.Event()
        self._server: Server | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> LiveServer:
        self._thread.start()
        assert self._ready.wait(20), "the server did not start"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop; once is enough."""
        assert self._server is not None
        if not self._thread.is_alive():
            return
        self._server.handle_exit(15, None)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the server did not stop"

    def request(self, method: str, path: str, *, role: Role | None = Role.ADMIN, **options: Any) -> httpx.Response:
        """One request with the key of a role (None: without a key)."""
        headers = dict(options.pop("headers", {}))
        if role is not None:
            headers.setdefault("Authorization", f"Bearer {self.keys[role]}")
        return httpx.request(method, self.url + path, headers=headers, timeout=10, **options)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        store = await open_store(self._store_url)
        try:
            operations = Operations(
                store, requires_versions=self._requires_versions, requires_approvals=self._requires_approvals
            )
            for role in Role:
                # A store may be served by several, one after the other on the same port too.
                name = f"{role.value}-{self.port}-{secrets.token_hex(2)}"
                made = await operations.create_key(SYSTEM, KeyCreate(name=name, role=role))
                self.keys[role] = made.secret
            app = create_app(operations, bounds=self._bounds, response=self._response)
            self._server = Server(configured(app, self._bounds), app.state.hub)
            waiting = asyncio.create_task(self._announce())
            await self._server.serve([self._listener])
            await waiting
        finally:
            await store.close()

    async def _announce(self) -> None:
        assert self._server is not None
        while not self._server.started and not self._server.should_exit:
            await asyncio.sleep(0.005)
        self._ready.set()
