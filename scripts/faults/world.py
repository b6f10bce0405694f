"""A store of either kind with its servers, for one fault."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import psycopg
from tests.postgres_server import Cluster, installed
from tests.server_process import ServerProcess, eventually

from faults.ending import not_yet
from flagconsole.domain.requests import FlagCreate, KeyCreate
from flagconsole.domain.role import Role
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store

FLAGS = tuple(f"chaos.flag{number}" for number in range(3))
#: One that no client changes.
FILLER = "chaos.filler"


class World:
    """The store at ``store_url``, a folder for the fault's own files, and the servers that were started."""

    def __init__(self, store_url: str, folder: Path, cluster: Cluster | None) -> None:
        self.store_url = store_url
        self.folder = folder
        self.cluster = cluster
        self.servers: list[ServerProcess] = []
        self.key = asyncio.run(self._furnish())

    async def _furnish(self) -> str:
        store = await open_store(self.store_url)
        operations = Operations(store)
        for name in (*FLAGS, FILLER):
            await operations.create(SYSTEM, FlagCreate(flag_name=name))
        made = await operations.create_key(SYSTEM, KeyCreate(name="chaos", role=Role.ADMIN))
        await store.close()
        return made.secret

    def start(self, *arguments: str, **options: object) -> ServerProcess:
        """One more server, listening."""
        with not_yet():
            server = ServerProcess(self.store_url, *arguments, **options)
            self.servers.append(server)
        return server.wait(60)

    def urls(self) -> list[str]:
        """Where the servers that run listen."""
        return [server.url for server in self.servers if server.process.poll() is None]

    def kill(self, server: ServerProcess) -> None:
        """kill -9."""
        server.end(signal.SIGKILL)
        self.servers.remove(server)

    def end(self) -> None:
        """End all servers."""
        for server in self.servers:
            server.end(signal.SIGKILL)

    def in_service(self, seconds: float = 60) -> None:
        """Wait until every server is ready again."""
        for url in self.urls():
            eventually(lambda url=url: ready(url), seconds)


def ready(url: str) -> bool:
    """Whether the server says so itself."""
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    return False


@contextmanager
def world(store: str) -> Iterator[World]:
    """A world on ``sqlite`` or ``postgresql``."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="flagconsole-chaos-")))
        cluster, url = None, f"sqlite:{folder / 'chaos.db'}"
        if store == "postgresql":
            cluster = stack.enter_context(Cluster.made(stack.enter_context(installed())))
            with psycopg.connect(cluster.url(), autocommit=True) as connection:
                connection.execute("CREATE DATABASE chaos")
            url = cluster.url("chaos")
        made = World(url, folder, cluster)
        stack.callback(made.end)
        yield made
