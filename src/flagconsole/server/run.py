"""Running the server: uvicorn, one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from types import FrameType
from typing import Final, Protocol

import uvicorn
from starlette.types import ASGIApp

from flagconsole.domain.errors import AddressUnavailable
from flagconsole.domain.store_environment import StoreEnvironment
from flagconsole.operations.store_environments import environments_of
from flagconsole.server.bounds import Bounds
from flagconsole.server.environment_roster import EnvironmentRoster
from flagconsole.server.front import Front
from flagconsole.server.guarded_connection import MAX_INCOMPLETE_HEADER
from flagconsole.server.hot_connection import HotConnection
from flagconsole.server.key_file import key_file_of
from flagconsole.server.serving import Serving
from flagconsole.store.opening import is_postgres

#: Seconds that running requests get after SIGTERM; streams say goodbye at once.
GRACE_SECONDS: Final = 1

#: Seconds an idle connection stays open: longer than an SDK's signs of life are apart, so that the receipt of a kill finds
#: one that is open.
KEEP_ALIVE_SECONDS: Final = 75


class Streams(Protocol):
    """What holds the open streams: one environment's hub, or the front of several."""

    def close(self) -> None:
        """Say goodbye to them, and begin no new ones."""


class Server(uvicorn.Server):
    """uvicorn, which of itself would wait for open streams for ever."""

    def __init__(self, config: uvicorn.Config, streams: Streams, notes: Sequence[str] = ()) -> None:
        super().__init__(config)
        self._streams = streams
        self._notes = notes

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say goodbye to all streams, then stop; a second Ctrl-C doesn't wait. uvicorn's own handler would raise the
        signal again at the end, before the store is closed."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        self._loop.call_soon_threadsafe(self._streams.close)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say where, and what else whoever started it has to know."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            host, port = sockets[0].getsockname()[:2] if sockets else ("?", 0)
            shown = f"[{host}]" if ":" in host else host
            for words in (f"listening on http://{shown}:{port}", *self._notes):
                print(words, file=sys.stderr, flush=True)  # noqa: T201


def serve(
    store_url: str,
    host: str = "127.0.0.1",
    port: int = 8765,
    serving: Serving | None = None,
    *,
    end_with_stdin: bool = False,
) -> None:
    """Serve the store's environments until SIGTERM or SIGINT (or, with ``end_with_stdin``, until standard input ends).

    On a loopback address it makes sure that the embedded store's own admin keys exist, or the first ones of a database.
    Raises ``StoreUnavailable`` when the store can't be opened, ``AddressUnavailable`` when the address is taken.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    listener = _bind(host, port)
    keys = ipaddress.ip_address(listener.getsockname()[0]).is_loopback
    serving = replace(serving or Serving(), own=end_with_stdin, keys=keys)
    asyncio.run(_serve(store_url, listener, serving))


async def _serve(store_url: str, listener: socket.socket, serving: Serving) -> None:
    known = await environments_of(store_url, listen_url=serving.listen_url)
    roster = EnvironmentRoster(store_url, serving, known)
    front = Front(roster.environments)
    notes = _key_notes(store_url, serving.served(known), serving)
    async with front.running(), roster.followed():
        await _answer(front, front, listener, serving, notes)


def _key_notes(store_url: str, environments: Sequence[StoreEnvironment], serving: Serving) -> list[str]:
    """Where whoever sits at this machine finds the keys that were made for them. A database's first key says that itself."""
    if not serving.keys or serving.own or is_postgres(store_url):
        return []
    notes = []
    for one in environments:
        path = key_file_of(store_url, one.partition)
        of = "your admin key" if len(environments) == 1 else f"your admin key of {one.name}"
        notes.append(f'{of}: export FLAGCONSOLE_API_KEY="$(cat {shlex.quote(str(path))})"')
    return notes


async def _answer(
    app: ASGIApp, streams: Streams, listener: socket.socket, serving: Serving, notes: Sequence[str]
) -> None:
    server = Server(configured(app, serving.bounds), streams, notes)
    if serving.own:
        _stop_at_end_of_input(server)
    # What is there now stays: to look through all the modules and models again and again takes the collector a tenth of a second
    # each time, in which a kill would wait.
    gc.freeze()
    gc.enable()
    await server.serve([listener])


def configured(app: ASGIApp, bounds: Bounds | None = None) -> uvicorn.Config:
    """How uvicorn runs the application."""
    return uvicorn.Config(
        app,
        http=HotConnection.to(app, bounds),
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
        raise AddressUnavailable(
            "Choose another --host or --port.", address=f"{host}:{port}", problem=error.strerror
        ) from error
    return listener


def _stop_at_end_of_input(server: Server) -> None:
    """End with the parent that holds the other end of standard input, however it ends."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        server.handle_exit(signal.SIGTERM, None)

    threading.Thread(target=wait, name="flagconsole-stdin", daemon=True).start()
