"""A real server over several environments of one store, in a thread of the test's process."""

from __future__ import annotations

import asyncio
import socket
import threading
from types import TracebackType
from typing import Any

import httpx

from flagconsole.domain.requests import KeyCreate
from flagconsole.domain.role import Role
from flagconsole.domain.store_environment import StoreEnvironment
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.operations.store_environments import create_environment, environments_of, rename_environment
from flagconsole.server.environment_roster import EnvironmentRoster
from flagconsole.server.front import Front
from flagconsole.server.run import Server, configured
from flagconsole.server.serving import Serving
from flagconsole.store import open_store

PRODUCTION, STAGING = "prod-eu", "staging"


async def make_environments(url: str) -> tuple[StoreEnvironment, ...]:
    """Name the store's first environment prod-eu, and add staging."""
    await (await open_store(url)).close()
    await rename_environment(url, "local", PRODUCTION, "ada")
    await create_environment(url, STAGING, "ada")
    return await environments_of(url)


async def make_keys(url: str, environment: StoreEnvironment) -> dict[Role, str]:
    """One key of each role in the environment."""
    store = await open_store(url, partition=environment.partition)
    try:
        operations = Operations(store)
        return {
            role: (await operations.create_key(SYSTEM, KeyCreate(name=role.value, role=role))).secret for role in Role
        }
    finally:
        await store.close()


class EnvironmentsServer:
    """Serves all environments of a store until the ``with`` ends. ``keys`` holds one key of each role by environment; without
    ``keys_of``, which makes none for those that can't be opened."""

    def __init__(
        self, url: str, *, keys_of: tuple[str, ...] = (PRODUCTION, STAGING), serving: Serving | None = None
    ) -> None:
        self._serving = serving or Serving()
        self._store_url = url
        self._keys_of = keys_of
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.keys: dict[str, dict[Role, str]] = {}
        self.roles: tuple[Role, ...] = tuple(Role)
        self._client = httpx.Client(timeout=30)
        self._ready = threading.Event()
        self._server: Server | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> EnvironmentsServer:
        self._thread.start()
        assert self._ready.wait(60), "the server did not start"
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        assert self._server is not None
        self._server.handle_exit(15, None)
        self._thread.join(60)
        assert not self._thread.is_alive(), "the server did not stop"
        if self._failure is not None:
            raise self._failure

    def ask(
        self, environment: str | None, method: str, path: str, *, role: Role = Role.ADMIN, **options: Any
    ) -> httpx.Response:
        """One request with a key of the environment (None: without a key)."""
        headers = dict(options.pop("headers", {}))
        if environment is not None:
            headers["Authorization"] = f"Bearer {self.keys[environment][role]}"
        return self._client.request(method, self.url + path, headers=headers, **options)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        environments = await environments_of(self._store_url)
        for environment in environments:
            if environment.name in self._keys_of:
                self.keys[environment.name] = await make_keys(self._store_url, environment)
        roster = EnvironmentRoster(self._store_url, self._serving, environments)
        front = Front(roster.environments)
        async with front.running(), roster.followed():
            self._server = Server(configured(front), front)
            waiting = asyncio.create_task(self._announce())
            await self._server.serve([self._listener])
            await waiting

    async def _announce(self) -> None:
        assert self._server is not None
        while not self._server.started and not self._server.should_exit:
            await asyncio.sleep(0.005)
        self._ready.set()
