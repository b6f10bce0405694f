"""What happens to clients when the process forks, and when it ends.

Pre-fork servers load a service once and fork workers from it. Threads don't come along, so each child starts its clients'
threads anew. Before the fork the threads are held where they neither hold a lock nor import a module: the child would
otherwise wait for ever for a thread that it doesn't have.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import os
import time
import weakref
from typing import Final, Protocol

#: At the interpreter's end all clients together get this many seconds to say goodbye.
EXIT_SECONDS: Final = 1.0


class Forkable(Protocol):
    """A client, as far as forks and the end of the process are concerned."""

    def before_fork(self) -> None:
        """Hold still."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Start anew."""

    def request_close(self) -> None:
        """Begin to close, and return at once."""

    def close(self, timeout: float = ...) -> None:
        """Close within ``timeout`` seconds."""


_clients: weakref.WeakSet[Forkable] = weakref.WeakSet()


def register(client: Forkable) -> None:
    """Look after ``client`` as long as it exists."""
    _hook_in()
    _clients.add(client)


@functools.cache
def _hook_in() -> None:
    """Take part in forks and in the interpreter's end.

    What registers last is asked first before a fork. The two modules imported here take locks at that moment which the
    clients' threads may need to get to their stopping place, so ours must come before theirs.
    """
    importlib.import_module("logging")
    importlib.import_module("concurrent.futures.thread")
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
    atexit.register(_at_exit)


def _living() -> list[Forkable]:
    """The clients that exist now. Another thread may be adding one, which ends an iteration over the set."""
    while True:
        try:
            return list(_clients)
        except RuntimeError:
            continue


def _before() -> None:
    for client in _living():
        with contextlib.suppress(Exception):
            client.before_fork()


def _in_parent() -> None:
    for client in _living():
        with contextlib.suppress(Exception):
            client.after_fork_in_parent()


def _in_child() -> None:
    for client in _living():
        with contextlib.suppress(Exception):
            client.after_fork_in_child()


def _at_exit() -> None:
    clients = _living()
    for client in clients:
        with contextlib.suppress(Exception):
            client.request_close()
    deadline = time.monotonic() + EXIT_SECONDS
    for client in clients:
        with contextlib.suppress(Exception):
            client.close(max(0.0, deadline - time.monotonic()))
