"""Reads server-sent events off bytes as they come, without an object for each line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_FRAME: Final = 64 * 1024 * 1024


class EventTooLarge(Exception):
    """An event is larger than this client takes."""


class Event(NamedTuple):
    """One event; ``id`` is the newest id of the stream so far."""

    name: str
    id: str
    data: str


class EventReader:
    """The events of one stream, none larger than ``limit`` bytes."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._ends_in_return = False
        self._begins = True
        self._id = ""

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events that ``data`` completes. Raises ``EventTooLarge`` and ``UnicodeDecodeError``."""
        if b"\r" in data or self._ends_in_return:
            data = self._with_plain_ends(data)
        if not self._buffer and data.endswith(b"\n\n") and data.find(b"\n\n") == len(data) - 2:
            event = self._event(data[:-2])  # one whole event, as nearly all come
            if event is not None:
                yield event
            return
        start = max(len(self._buffer) - 1, 0)
        self._buffer += data
        while (end := self._buffer.find(b"\n\n", start)) >= 0:
            block = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            start = 0
            event = self._event(block)
            if event is not None:
                yield event
        if len(self._buffer) > self._limit:
            raise EventTooLarge(f"an event is larger than {self._limit // (1024 * 1024)} MiB")

    def _with_plain_ends(self, data: bytes) -> bytes:
        """The data with its lines ended by one line feed each."""
        if self._ends_in_return and data[:1] == b"\n":
            data = data[1:]
            self._ends_in_return = False
        if data:
            self._ends_in_return = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _event(self, block: bytes) -> Event | None:
        if self._begins:
            self._begins = False
            block = block.removeprefix(b"\xef\xbb\xbf")
        name, data = "", None
        for line in block.split(b"\n"):
            field, _, raw = line.partition(b":")
            value = raw[1:] if raw[:1] == b" " else raw
            if field == b"data":
                text = value.decode()
                data = text if data is None else f"{data}\n{text}"
            elif field == b"event":
                name = value.decode()
            elif field == b"id" and b"\0" not in value:
                self._id = value.decode()
        return None if data is None and not name else Event(name or "message", self._id, data or "")
