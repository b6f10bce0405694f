"""Threads that shadow work starts belong to its execution, and pools' threads to nobody.

Python hands context variables to tasks but not to threads. Code in shadow may start a thread that writes, so starting one is made
to hand the execution on: ``Thread.start`` runs the thread in it, and ``ThreadPoolExecutor.submit`` the one piece of work, while the
pool's own threads, which serve other requests later, stay outside. Work handed to other processes, to ``multiprocessing.pool``
or to a queue that a thread of one's own reads doesn't follow; ``carried`` wraps a function for these.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from flagconsole.sdk.shadow.context import ShadowContext, current

P = ParamSpec("P")
R = TypeVar("R")

_once = threading.Lock()
_following = False


def follow_threads() -> None:
    """Make threads follow, from now on and for good. The first ``Shadow`` of a process calls it; outside shadow work nothing
    changes."""
    global _following
    with _once:
        if _following:
            return
        _following = True
    _follow_start()
    _follow_submit()


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` as part of the present execution, wherever it is called; itself outside of one."""
    context = current.get()
    return function if context is None else functools.partial(_run_in, context, function)


def _run_in(context: ShadowContext, function: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
    token = current.set(context)
    try:
        return function(*args, **kwargs)
    finally:
        current.reset(token)


def _follow_start() -> None:
    start = threading.Thread.start

    @functools.wraps(start)
    def start_in_execution(self: threading.Thread) -> None:
        context = current.get()
        if context is None:
            start(self)
            return
        # Every thread's first act is to call ``run``, whoever wrote its class.
        self.run = functools.partial(_run_once_in, self, context, self.run)  # type: ignore[method-assign]
        start(self)

    threading.Thread.start = start_in_execution  # type: ignore[method-assign]


def _run_once_in(thread: threading.Thread, context: ShadowContext, run: Callable[[], None]) -> None:
    del thread.run  # what refers to itself would be freed late
    _run_in(context, run)


def _follow_submit() -> None:
    submit = ThreadPoolExecutor.submit

    @functools.wraps(submit)  # type: ignore[arg-type]
    def submit_in_execution(
        self: ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        context = current.get()
        if context is None:
            return submit(self, fn, *args, **kwargs)
        token = current.set(None)
        try:
            return submit(self, functools.partial(_run_in, context, fn), *args, **kwargs)
        finally:
            current.reset(token)

    ThreadPoolExecutor.submit = submit_in_execution  # type: ignore[method-assign, assignment]
