"""One daemon thread with its own event loop, in which a client's asynchronous part lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

log = logging.getLogger("flagconsole.sdk")

#: A fork waits so long (seconds) for the thread to reach a place where it holds no lock.
PAUSE_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 0.2


class Background:
    """Runs ``work`` in a daemon thread until it returns. ``ask_to_stop`` is called in that thread's loop."""

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], ask_to_stop: Callable[[], None]) -> None:
        self._work = work
        self._ask_to_stop = ask_to_stop
        # Not what the service's policy would make: this thread must work whatever else the process runs.
        self._loop = asyncio.SelectorEventLoop()
        self._loop.set_default_executor(DaemonExecutor())
        self._thread = threading.Thread(target=self._run, name="flagconsole-sdk", daemon=True)
        self._resume: threading.Event | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the thread to end, and return at once."""
        self._call(self._ask_to_stop)

    def join(self, timeout: float) -> bool:
        """Wait for the thread to end, at most ``timeout`` seconds. Returns whether it has."""
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def pause(self) -> None:
        """Hold the thread between two steps of its loop, where it neither holds a lock nor imports a module."""
        if threading.current_thread() is self._thread or not self._thread.is_alive():
            return
        held, resume = threading.Event(), threading.Event()

        def hold() -> None:
            held.set()
            resume.wait(2 * PAUSE_SECONDS)

        self._resume = resume
        if not self._call(hold) or not held.wait(PAUSE_SECONDS):
            resume.set()

    def resume(self) -> None:
        """Let a paused thread go on."""
        if self._resume is not None:
            self._resume.set()
            self._resume = None

    def _call(self, callback: Callable[[], None]) -> bool:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop has ended
            return False
        return True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._work())
        except Exception:
            log.exception("the background thread ended")
        finally:
            with contextlib.suppress(Exception):
                self._loop.run_until_complete(_settle())
            self._loop.close()


async def _settle() -> None:
    """Let everything that was cancelled or closed come to its end, within moments."""
    own = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not own]
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=SETTLE_SECONDS)
    await asyncio.get_running_loop().shutdown_asyncgens()
    # A closed connection lets go of its socket one step of the loop later.
    await asyncio.sleep(0)


class DaemonExecutor(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own.

    The loop looks up host names and writes to disk through this. The standard library's pool would make the interpreter
    wait at its end for a name server or a disk that doesn't answer.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Start ``fn`` in a new thread."""
        future: Future[Any] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name="flagconsole-sdk-call", daemon=True).start()
        return future
