"""Running the server: uvicorn, one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.playbook import Playbook
from flagconsole.domain.retention import Retention
from flagconsole.operations.service import Operations
from flagconsole.rollout.anchoring import Anchoring, Anchors
from flagconsole.rollout.prometheus_source import PrometheusSource
from flagconsole.rollout.response import Response
from flagconsole.server.app import create_app
from flagconsole.server.guarded_connection import MAX_INCOMPLETE_HEADER, GuardedConnection
from flagconsole.server.hub import Hub
from flagconsole.server.key_file import ensure_admin_key, ensure_first_admin_key, key_file_of
from flagconsole.store import open_store
from flagconsole.store.opening import is_postgres

#: Seconds that running requests get after SIGTERM; streams say goodbye at once.
GRACE_SECONDS: Final = 1

#: Seconds an idle connection stays open: longer than an SDK's signs of life are apart, so that the receipt of a kill finds
#: one that is open.
KEEP_ALIVE_SECONDS: Final = 75


class Server(uvicorn.Server):
    """uvicorn, which of itself would wait for open streams for ever."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say goodbye to all streams, then stop; a second Ctrl-C doesn't wait. uvicorn's own handler would raise the
        signal again at the end, before the store is closed."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._hub.close)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            host, port = sockets[0].getsockname()[:2] if sockets else ("?", 0)
            shown = f"[{host}]" if ":" in host else host
            print(f"listening on http://{shown}:{port}", file=sys.stderr, flush=True)  # noqa: T201


def serve(
    store_url: str,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    listen_url: str | None = None,
    environment: str = "local",
    requires_versions: bool = False,
    requires_approvals: bool = False,
    end_with_stdin: bool = False,
    response: Response | None = None,
    playbooks: Mapping[str, Playbook] | None = None,
    retention: Retention | None = None,
    prometheus: PrometheusSource | None = None,
    anchors: Anchors | None = None,
) -> None:
    """Serve the store until SIGTERM or SIGINT (or, with ``end_with_stdin``, until standard input ends). ``listen_url`` is a
    direct way to a database that ``store_url`` reaches through a pooler.

    ``response`` says what playbooks may reach, ``playbooks`` replaces those that ship, ``retention`` says how long
    measurements are kept, ``prometheus`` is asked for the metrics that plans have queries for,
    ``anchors`` says where and how often the audit log's head is kept.

    On a loopback address it makes sure that the embedded store's own admin key exists, or the first one of a database.
    Raises ``StoreUnavailable`` when the store can't be opened or the address is taken.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    asyncio.run(
        _serve(
            store_url,
            _bind(host, port),
            listen_url=listen_url,
            environment=environment,
            requires_versions=requires_versions,
            requires_approvals=requires_approvals,
            end_with_stdin=end_with_stdin,
            response=response,
            playbooks=playbooks,
            retention=retention,
            prometheus=prometheus,
            anchors=anchors,
        )
    )


async def _serve(
    store_url: str,
    listener: socket.socket,
    *,
    listen_url: str | None,
    environment: str,
    requires_versions: bool,
    requires_approvals: bool,
    end_with_stdin: bool,
    response: Response | None,
    playbooks: Mapping[str, Playbook] | None,
    retention: Retention | None,
    prometheus: PrometheusSource | None,
    anchors: Anchors | None,
) -> None:
    store = await open_store(store_url, listen_url=listen_url)
    try:
        operations = Operations(
            store, environment=environment, requires_versions=requires_versions, requires_approvals=requires_approvals
        )
        if ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
            await _make_admin_key(operations, store_url, own=end_with_stdin)
        app = create_app(
            operations,
            retention,
            response=response,
            playbooks=playbooks,
            prometheus=prometheus,
            anchoring=None if anchors is None else Anchoring(store, anchors, environment=environment),
        )
        server = Server(configured(app), app.state.hub)
        if end_with_stdin:
            _stop_at_end_of_input(server)
        await server.serve([listener])
    finally:
        if prometheus is not None:
            await prometheus.aclose()
        await store.close()


async def _make_admin_key(operations: Operations, store_url: str, *, own: bool) -> None:
    """The key for whoever sits at this machine. ``own`` says that a console started this server for itself, and needs one."""
    path = key_file_of(store_url)
    if own or not is_postgres(store_url):
        await ensure_admin_key(operations, path)
    elif await ensure_first_admin_key(operations, path):
        print(f"the first admin key of this database is in {path}", file=sys.stderr, flush=True)  # noqa: T201


def configured(app: FastAPI) -> uvicorn.Config:
    """How uvicorn runs the application."""
    return uvicorn.Config(
        app,
        http=GuardedConnection,
        access_log=False,
        log_config=None,
        server_header=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        h11_max_incomplete_event_size=MAX_INCOMPLETE_HEADER,
    )


def _bind(host: str, port: int) -> socket.socket:
    """A listening address, taken before anything else is opened. Port 0 takes a free one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise StoreUnavailable(
            "Choose another --host or --port.", problem=f"{host}:{port}: {error.strerror}"
        ) from error
    return listener


def _stop_at_end_of_input(server: Server) -> None:
    """End with the parent that holds the other end of standard input, however it ends."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        server.handle_exit(signal.SIGTERM, None)

    threading.Thread(target=wait, name="flagconsole-stdin", daemon=True).start()
