"""Reads answers of HTTP/1.1 off the bytes of a connection: strictly, since what two readers could read differently is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

#: Bytes of a status line and its headers.
MAX_HEAD: Final = 64 * 1024
#: Bytes of a line between chunks.
_MAX_LINE: Final = 4 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: .*)?")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")


class BadAnswer(Exception):
    """What came is not an answer of HTTP/1.1; the message says why."""


class Head(NamedTuple):
    """How an answer begins. ``headers`` by their names in lower case; of several with one name the values, joined by commas.
    ``lasts``: the connection can be used again after it."""

    status: int
    headers: dict[str, str]
    lasts: bool


class AnswerReader:
    """Reads one answer after the other. ``began(head)``, ``part(bytes)`` for the body as it comes, ``ended()``."""

    def __init__(self, began: Callable[[Head], None], part: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._began, self._part, self._ended = began, part, ended
        self._buffer = bytearray()
        self._step: Callable[[], bool] = self._head
        self._left = 0
        self._between_chunks = False

    def feed(self, data: bytes) -> None:
        """Read what came. Raises ``BadAnswer``."""
        if self._between_chunks and (whole := _whole_chunk(data)):
            self._part(whole)
            return
        self._buffer += data
        while self._buffer and self._step():
            pass
        self._between_chunks = not self._buffer and self._step == self._size

    def closed(self) -> bool:
        """The connection was closed. Returns whether that was in the midst of an answer."""
        if self._step == self._rest:
            self._finish()
            return False
        return self._step != self._head or bool(self._buffer)

    def _line(self, most: int) -> bytes | None:
        """The next line; None where it isn't there whole."""
        end = self._buffer.find(b"\r\n", 0, most + 2)
        if end < 0:
            if len(self._buffer) > most:
                raise BadAnswer("a line between two chunks has no end")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD + 4)
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadAnswer(f"an answer's header is larger than {MAX_HEAD // 1024} KiB")
            return False
        status_line, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        match = _STATUS.fullmatch(status_line)
        if match is None:
            raise BadAnswer("the answer is not HTTP/1.1")
        status, headers = int(match[2]), _headers(lines)
        if status < 200:
            if status == 101:
                raise BadAnswer("the answer changes the protocol")
            return True  # an interim answer: the answer follows
        self._begin(status, headers, new=match[1] == b"1")
        return True

    def _begin(self, status: int, headers: dict[str, str], *, new: bool) -> None:
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        lasts = new and "close" not in headers.get("connection", "").lower()
        if status in (204, 304):
            self._left, self._step = 0, self._body
        elif coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise BadAnswer("how long the answer is isn't said clearly")
            self._step = self._size
        elif length is not None:
            if _LENGTH.fullmatch(length.encode("latin-1")) is None:
                raise BadAnswer("the answer's length is not a number")
            self._left, self._step = int(length), self._body
        else:
            self._step, lasts = self._rest, False
        self._began(Head(status, headers, lasts))
        if self._step == self._body and not self._left:
            self._finish()

    def _finish(self) -> None:
        self._step = self._head
        self._ended()

    def _body(self) -> bool:
        self._take()
        if not self._left:
            self._finish()
        return True

    def _rest(self) -> bool:
        self._left = len(self._buffer)
        self._take()
        return False

    def _take(self) -> None:
        data = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(data)
        self._part(data)

    def _size(self) -> bool:
        line = self._line(_MAX_LINE)
        if line is None:
            return False
        match = _SIZE.fullmatch(line)
        if match is None:
            raise BadAnswer("a chunk without its size")
        self._left = int(match[1], 16)
        self._step = self._chunk if self._left else self._trailer
        return True

    def _chunk(self) -> bool:
        self._take()
        if not self._left:
            self._step = self._chunk_end
        return True

    def _chunk_end(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise BadAnswer("a chunk is longer than its size")
        del self._buffer[:2]
        self._step = self._size
        return True

    def _trailer(self) -> bool:
        line = self._line(_MAX_LINE)
        if line is None:
            return False
        if not line:
            self._finish()
        return True


def _whole_chunk(data: bytes) -> bytes | None:
    """What is in it, where ``data`` is one whole chunk, as a stream's events come; None where it isn't, or can't be read."""
    match = _CHUNK.match(data)
    if match is None:
        return None
    begin, size = match.end(), int(match[1], 16)
    return data[begin:-2] if size and len(data) == begin + size + 2 and data.endswith(b"\r\n") else None


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or _NAME.fullmatch(name) is None:
            raise BadAnswer("a header that can't be read")
        key, text = name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
