"""What is sent to all who ask for the same: encoded once, compressed once, with its tag."""

from __future__ import annotations

import asyncio
import gzip
import http
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

#: Smaller bodies are sent as they are: they fit into a packet either way.
LEAST_COMPRESSED: Final = 1_000
#: Larger ones are compressed in a thread, so that nobody waits meanwhile; up to here it takes about a millisecond.
_MOST_INLINE: Final = 64 * 1024
#: Bytes of the largest body that is copied behind its header. Of a larger one the second write is the lesser cost.
MOST_COPIED: Final = 32 * 1024
#: Between zlib's fastest and its default.
_LEVEL: Final = 4


Headers = list[tuple[bytes, bytes]]


class Answer:
    """An answer as it is sent."""

    __slots__ = ("_first", "_wire", "body", "headers", "status")

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self._first: Headers | None = None
        self._wire: tuple[bytes, ...] = ()

    def wire(self, first: Headers) -> tuple[bytes, ...]:
        """Its bytes over HTTP/1.1, with the headers ``first`` before its own; kept until it is another list, which the server makes each
        second for the date. What is in two parts is written apart: more would be copied than a second write costs."""
        if first is not self._first:
            head = head_of(self.status, first, self.headers)
            self._wire = joined(head, self.body)
            self._first = first
        return self._wire

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """The answer that Starlette makes of these."""
        made = Response(body, status, headers, media_type=None if body is None else "application/json")
        return cls(status, made.raw_headers, bytes(made.body))

    def response(self) -> Response:
        """The same as a route returns it."""
        made = Response(status_code=self.status)
        made.body, made.raw_headers = self.body, list(self.headers)
        return made


def head_of(status: int, first: Headers, headers: Headers) -> bytes:
    """An answer's status line and headers over HTTP/1.1, as far as its body."""
    lines = [b"%b: %b\r\n" % header for header in (*first, *headers)]
    phrase = http.HTTPStatus(status).phrase.encode()
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, phrase, b"".join(lines))


def joined(head: bytes, body: bytes) -> tuple[bytes, ...]:
    """What is written at once, and what is after it."""
    return (head + body,) if len(body) <= MOST_COPIED else (head, body)


class Representation:
    """A JSON body with its tag. Who has it is told so, and who takes gzip gets it compressed: those are other bytes, so their tag
    is a weak one."""

    __slots__ = ("_compressed", "_compressing", "_plain", "_tag", "_unchanged", "_weak_unchanged")

    def __init__(self, body: bytes, etag: str) -> None:
        self._tag = etag
        self._plain = Answer.of(200, _headers(etag), body)
        self._unchanged = Answer.of(304, _headers(etag))
        small = len(body) < LEAST_COMPRESSED
        self._compressed = self._plain if small else None
        self._weak_unchanged = self._unchanged if small else Answer.of(304, _headers(f"W/{etag}"))
        self._compressing: asyncio.Future[bytes] | None = None

    @property
    def size(self) -> int:
        """How many bytes its body has."""
        return len(self._plain.body)

    async def answer(self, if_none_match: str | None, accept_encoding: str | None) -> Answer:
        """What is sent to who asks with these headers."""
        return self.ready(if_none_match, accept_encoding) or await self._compress()

    def ready(self, if_none_match: str | None, accept_encoding: str | None) -> Answer | None:
        """The same as far as it is there; None where it is still to be compressed."""
        compressed = accept_encoding is not None and takes_gzip(accept_encoding)
        if if_none_match is not None and _names(if_none_match, self._tag):
            return self._weak_unchanged if compressed else self._unchanged
        return self._compressed if compressed else self._plain

    async def _compress(self) -> Answer:
        work = partial(gzip.compress, self._plain.body, _LEVEL, mtime=0)
        if self.size <= _MOST_INLINE:
            body = work()
        else:
            if self._compressing is None:
                self._compressing = asyncio.get_running_loop().run_in_executor(None, work)
            body = await asyncio.shield(self._compressing)
        headers = {**_headers(f"W/{self._tag}"), "Content-Encoding": "gzip"}
        self._compressed = Answer.of(200, headers, body)
        return self._compressed


def _headers(etag: str) -> dict[str, str]:
    return {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the header names the tag, of these or of other bytes of the same."""
    return if_none_match == etag or etag in {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}


def accepted(request: Request) -> str | None:
    """What the request says that its client decodes."""
    return ", ".join(request.headers.getlist("accept-encoding")) or None


@lru_cache(256)
def takes_gzip(accept_encoding: str) -> bool:
    """Whether a body may be sent as gzip to who sends this ``Accept-Encoding``."""
    weights: dict[str, bool] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.partition(";")
        weights[coding.strip()] = not _is_zero(parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def _is_zero(parameters: str) -> bool:
    """Whether a weight is there and means never; one that can't be read does as well."""
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return False
    try:
        return not float(value) > 0
    except ValueError:
        return True
