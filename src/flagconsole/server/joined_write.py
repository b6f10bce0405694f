"""A short answer in one write. uvicorn gives the system its header and its body apart, which costs a fifth of what such an answer takes."""

from __future__ import annotations

from typing import Any

from starlette.types import Send

from flagconsole.server.representation import MOST_COPIED, Answer


async def send_answer(answer: Answer, send: Send) -> None:
    """Send a whole answer. Where ``send`` isn't uvicorn's own, in two parts as ever."""
    cycle: Any = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None or len(answer.body) > MOST_COPIED:
        await _send(answer, send)
        return
    joined = _Joined()
    cycle.transport = joined
    try:
        await _send(answer, send)
    finally:
        cycle.transport = transport
        joined.hand_to(transport)


async def _send(answer: Answer, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


class _Joined:
    """What uvicorn's cycle of one request and answer does to its transport, kept until it is done."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._closes = False

    def write(self, data: bytes) -> None:
        self._parts.append(data)

    def close(self) -> None:
        self._closes = True

    def hand_to(self, transport: Any) -> None:
        """Do it."""
        if self._parts:
            transport.write(b"".join(self._parts))
        if self._closes:
            transport.close()
