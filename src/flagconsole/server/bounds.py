"""The bounds of a server, each with what it is without being told and the range that makes sense: ``serve --limit NAME=VALUE``."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from flagconsole.domain.errors import InvalidInput

_KIB: Final = 1024
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What clients may ask of one server. Seconds, bytes, and how many; ``LIMITS`` tells what each means."""

    rate: float = 1_000.0
    burst: float = 6_000.0
    requests: int = 6_000
    streams: int = 5_000
    connections: int = 10_000
    header_seconds: float = 10.0
    header_bytes: int = 32 * _KIB
    body_seconds: float = 15.0
    body_bytes: int = _MIB
    large_body_bytes: int = 16 * _MIB
    tenants_body_bytes: int = 48 * _MIB
    held_bytes: int = 128 * _MIB
    stall_seconds: float = 10.0


class Limit(NamedTuple):
    """One of them: the least and the most that it may be set to, and what it bounds."""

    least: float
    most: float
    meaning: str


#: A kill must get through whatever is set: it needs a header, a small body and a connection.
LIMITS: Final[dict[str, Limit]] = {
    "rate": Limit(
        1,
        1_000_000,
        "requests a second of one key; kill, hold and rollback are exempt from this one and the next three",
    ),
    "burst": Limit(1, 10_000_000, "requests of one key at once, after a rest"),
    "requests": Limit(1, 1_000_000, "requests of one key under way"),
    "streams": Limit(0, 1_000_000, "open streams of one key"),
    "connections": Limit(16, 1_000_000, "connections in all, where the system allows as many; then idle ones go first"),
    "header_seconds": Limit(1, 600, "seconds that a request's header may take, and a new connection to send one"),
    "header_bytes": Limit(4 * _KIB, 64 * _KIB, "bytes of a request's header"),
    "body_seconds": Limit(1, 3_600, "seconds that a body may take"),
    "body_bytes": Limit(64 * _KIB, 1024 * _MIB, "bytes of a body"),
    "large_body_bytes": Limit(64 * _KIB, 1024 * _MIB, "bytes of a body with flags and their cohorts"),
    "tenants_body_bytes": Limit(64 * _KIB, 1024 * _MIB, "bytes of a body with tenants' profiles"),
    "held_bytes": Limit(_MIB, 64 * 1024 * _MIB, "bytes of bodies beyond 64 KiB that the server takes in at once"),
    "stall_seconds": Limit(1, 600, "seconds in which a client must take something of what waits for it"),
}


def bounds_of(settings: Iterable[str]) -> Bounds:
    """The bounds with these set, each as ``NAME=VALUE``. Raises ``InvalidInput`` naming what is wrong with which, and what would be
    right."""
    chosen: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        limit = LIMITS.get(name)
        if limit is None or not equals:
            raise InvalidInput(
                field="limit", problem=f"must be NAME=VALUE with one of {', '.join(LIMITS)}", value=setting[:200]
            )
        if name in chosen:
            raise InvalidInput(field=f"limit {name}", problem="is given twice", value=text[:200])
        chosen[name] = _number(name, text, limit)
    return replace(Bounds(), **chosen)


def _number(name: str, text: str, limit: Limit) -> float:
    whole = isinstance(default_of(name), int)
    try:
        value: float = int(text) if whole else float(text)
    except ValueError:
        value = math.nan
    if not limit.least <= value <= limit.most:
        kind = "a whole number" if whole else "a number"
        problem = f"must be {kind} from {limit.least:,} to {limit.most:,}".replace(",", "")
        raise InvalidInput(field=f"limit {name}", problem=problem, value=text[:200])
    return value


def default_of(name: str) -> float:
    """What a limit is where nobody sets it."""
    found: float = getattr(Bounds(), name)
    return found
