"""One request, tried as often as is right, and what is known about its outcome when all tries are over.

A request whose answer never came may have been carried out. Asking again with the same ``Idempotency-Key`` tells; when that
can't be done either, the caller learns ``OutcomeUnknown`` rather than a failure.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx
import stamina

from flagconsole.client.answer import AnswerTooLarge, error_of, read_body
from flagconsole.client.reaching import what_failed
from flagconsole.domain.errors import (
    FlagConsoleError,
    OutcomeUnknown,
    ReplicaBehind,
    ServerBusy,
    ShuttingDown,
    StoreUnavailable,
    UnexpectedAnswer,
    Unreachable,
)
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Callable

# Without a handler of the program's own, Python would print stamina's notes on standard error, over a full-screen console.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class Patience(NamedTuple):
    """How hard to try: at most ``tries``, no new one after ``seconds``; waits grow from ``first_wait`` to ``longest_wait``."""

    tries: int
    seconds: float
    first_wait: float = 0.1
    longest_wait: float = 1.0


READ: Final = Patience(3, 5.0)
#: What keeps a server busy for long isn't asked for again.
ONCE: Final = Patience(1, 5.0)
CHANGE: Final = Patience(4, 10.0)
#: Nothing is worth trying again as much as a kill.
KILL: Final = Patience(12, 20.0, first_wait=0.05)

#: Failures before anything was sent.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
#: Answers of ours that say: not now, nothing was done.
_NOT_NOW: Final = (ReplicaBehind, ShuttingDown, StoreUnavailable, ServerBusy)
#: What says nothing about an earlier try of the same request, since it is decided before the request is looked at.
_UNDECIDED: Final = frozenset({401, 403, 408, 429})


class Answer(NamedTuple):
    """A complete answer with a status under 300."""

    status: int
    headers: httpx.Headers
    body: bytes


class _Failed(Exception):
    """One try that brought no answer of use. ``again`` says whether another may help."""

    def __init__(self, error: FlagConsoleError, *, again: bool, may_be_done: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.again = again
        self.may_be_done = may_be_done


async def answer_to(
    connection: httpx.AsyncClient,
    make_request: Callable[[], httpx.Request],
    patience: Patience,
    *,
    idempotency_key: str | None,
    repeatable: bool = True,
) -> Answer:
    """The answer to the request that ``make_request`` builds anew for each try.

    ``idempotency_key`` is the key the request carries when it changes something; ``repeatable`` is false where a second one
    could do it twice. Raises the server's own error, ``Unreachable``, ``UnexpectedAnswer`` or ``OutcomeUnknown``.
    """
    may_be_done = False
    try:
        async for attempt in stamina.retry_context(
            on=lambda error: isinstance(error, _Failed) and error.again and (repeatable or not error.may_be_done),
            attempts=patience.tries,
            timeout=patience.seconds,
            wait_initial=patience.first_wait,
            wait_max=patience.longest_wait,
            wait_jitter=patience.first_wait,
        ):
            with attempt:
                try:
                    return await _try(connection, make_request())
                except _Failed as failed:
                    may_be_done = may_be_done or failed.may_be_done
                    raise
    except _Failed as failed:
        if idempotency_key is not None and may_be_done and not _decides(failed):
            raise OutcomeUnknown(
                "Ask again with the same Idempotency-Key, or read the flag back.",
                problem=str(failed.error).rstrip("."),
                idempotency_key=idempotency_key,
            ) from failed.error
        raise failed.error from None
    raise AssertionError("stamina ends with an answer or an error")


def _decides(failed: _Failed) -> bool:
    """Whether this last answer settles what became of all tries before it."""
    status = failed.error.status
    return 400 <= status < 500 and status not in _UNDECIDED


async def _try(connection: httpx.AsyncClient, request: httpx.Request) -> Answer:
    url = safe_text(str(connection.base_url).rstrip("/"), 200)
    try:
        response = await connection.send(request, stream=True)
        try:
            body = await read_body(response)
        finally:
            await response.aclose()
    except _NOT_SENT as error:
        raise _Failed(_unreachable(url, error), again=True, may_be_done=False) from error
    except httpx.TransportError as error:
        raise _Failed(_unreachable(url, error), again=True, may_be_done=True) from error
    except (httpx.HTTPError, AnswerTooLarge) as error:
        problem = safe_text(str(error) or type(error).__name__, 300)
        raise _Failed(UnexpectedAnswer(url=url, problem=problem), again=False, may_be_done=True) from error
    if response.status_code < 300 or response.status_code == 304:
        return Answer(response.status_code, response.headers, body)
    said = error_of(url, response.status_code, body)
    if isinstance(said, UnexpectedAnswer) and response.status_code >= 500:
        # A proxy that gave up on the server: the server may still have done it.
        raise _Failed(said, again=response.status_code in (502, 503, 504), may_be_done=True)
    if isinstance(said, OutcomeUnknown):
        raise _Failed(said, again=True, may_be_done=True)
    raise _Failed(said, again=isinstance(said, _NOT_NOW), may_be_done=False)


def _unreachable(url: str, error: Exception) -> Unreachable:
    said = "it did not answer in time" if isinstance(error, httpx.TimeoutException) else what_failed(error)
    problem = safe_text(said or type(error).__name__, 300)
    return Unreachable("Check the URL, and that the server runs.", url=url, problem=problem)
