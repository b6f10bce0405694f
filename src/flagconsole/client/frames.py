"""What a stream yields, and how one server-sent event is read: strictly, since a frame that is half understood is wrong."""

from __future__ import annotations

import json
from math import isfinite
from typing import Final, NamedTuple

from flagconsole.client.position import parse_position
from flagconsole.domain.text import safe_text

MAX_RETRY_SECONDS: Final = 60.0
#: Nobody is kept waiting for a receipt longer than this, whatever the server asks.
MAX_RECEIPT_MS: Final = 1_000
#: What a goodbye means that doesn't say.
DEFAULT_RETRY_MS: Final = 1000


class Connected(NamedTuple):
    """The server accepted the stream. Whether it is alive only shows with the first heartbeat."""


class Disconnected(NamedTuple):
    """The stream is gone. ``problem`` is safe to show; the next attempt comes ``retry_in`` seconds later.

    ``status`` is the HTTP status where the server refused, ``code`` its problem code.
    """

    problem: str
    retry_in: float
    status: int | None = None
    code: str | None = None


class Snapshot(NamedTuple):
    """All rules at one position, as JSON text."""

    epoch: str
    revision: int
    text: str


class ChangeFrame(NamedTuple):
    """One change and what came of it, as JSON text."""

    epoch: str
    revision: int
    text: str


class Heartbeat(NamedTuple):
    """The server's head and its time, in seconds since the epoch. Should the connection be lost, ``retry_ms`` is over how long its
    clients are asked to spread their return; ``receipt_ms`` over how long the receipts of each change."""

    epoch: str
    revision: int
    now: float
    retry_ms: int = 0
    receipt_ms: int = 0


class ReceiptFrame(NamedTuple):
    """An instance after it reported, as JSON text."""

    text: str


class IncidentFrame(NamedTuple):
    """An incident about which something was written, as JSON."""

    text: str


class RolloutFrame(NamedTuple):
    """A rollout after something was written about it, as JSON text."""

    text: str


class VerdictFrame(NamedTuple):
    """A look of the judge with its number, as JSON text."""

    text: str


class Goodbye(NamedTuple):
    """The server ends this stream; ``retry_ms`` is over how long it asks its clients to spread their return."""

    reason: str
    retry_ms: int


Frame = Snapshot | ChangeFrame | Heartbeat | ReceiptFrame | IncidentFrame | RolloutFrame | VerdictFrame | Goodbye
StreamEvent = Connected | Disconnected | Frame


class BadFrame(ValueError):
    """An event that can't be understood."""


def frame_of(event: str, event_id: str, data: str) -> Frame | None:
    """The frame of one event; ``None`` for kinds that are not known here. Raises ``BadFrame``."""
    try:
        match event:
            case "change":
                return ChangeFrame(*parse_position(event_id), data)
            case "snapshot":
                return Snapshot(*parse_position(event_id), data)
            case "heartbeat":
                return _heartbeat(_object(data))
            case "receipt":
                return ReceiptFrame(data)
            case "incident":
                return IncidentFrame(data)
            case "rollout":
                return RolloutFrame(data)
            case "verdict":
                return VerdictFrame(data)
            case "goodbye":
                return _goodbye(_object(data))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise BadFrame(f"a {event} that can't be understood ({type(error).__name__})") from error
    return None


def _object(text: str) -> dict[str, object]:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise BadFrame("not an object")
    return data


def _retry_ms(value: object) -> int:
    if not isinstance(value, int | float) or not isfinite(value):
        return DEFAULT_RETRY_MS
    return int(min(max(value, 0), MAX_RETRY_SECONDS * 1000))


def _heartbeat(data: dict[str, object]) -> Heartbeat:
    epoch, revision, now = data["epoch"], data["revision"], data["now"]
    if not isinstance(epoch, str) or not isinstance(revision, int) or isinstance(revision, bool):
        raise BadFrame("a heartbeat without a position")
    if not isinstance(now, int | float) or isinstance(now, bool) or not isfinite(now):
        raise BadFrame("a heartbeat without the time")
    receipt_ms = min(_retry_ms(data.get("receipt_ms", 0)), MAX_RECEIPT_MS)
    return Heartbeat(epoch, revision, float(now), _retry_ms(data.get("retry_ms", 0)), receipt_ms)


def _goodbye(data: dict[str, object]) -> Goodbye:
    return Goodbye(safe_text(data.get("reason", ""), 200), _retry_ms(data.get("retry_ms")))
