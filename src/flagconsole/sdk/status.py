"""How a client is doing, for health checks, logs and the receipts it sends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from flagconsole.sdk.batch_sender import Progress

#: Without a confirmation from the server for longer than this (seconds), the data counts as stale.
STALE_SECONDS: Final = 30.0


class Health(StrEnum):
    """``ready``: the data was confirmed lately. ``stale``: it is served, but was not. ``error``: none, or key refused."""

    READY = "ready"
    STALE = "stale"
    ERROR = "error"


@dataclass(slots=True)
class Counters:
    """What happened so far. Written by the background thread only."""

    swaps: int = 0
    events: int = 0
    snapshots: int = 0
    refused_older: int = 0
    bad_payloads: int = 0
    gaps: int = 0
    connections: int = 0
    disconnections: int = 0
    receipts_sent: int = 0
    receipt_failures: int = 0
    listener_errors: int = 0
    usage_sent: int = 0
    usage_failures: int = 0
    usage_dropped: int = 0
    shadow_sent: int = 0
    shadow_failures: int = 0
    shadow_dropped: int = 0

    def usage_told(self, progress: Progress) -> None:
        """How sending what operations came to goes."""
        self.usage_sent, self.usage_failures, self.usage_dropped = progress

    def shadow_told(self, progress: Progress) -> None:
        """How sending what shadow executions came to goes."""
        self.shadow_sent, self.shadow_failures, self.shadow_dropped = progress


class ClientStatus(NamedTuple):
    """A client at one moment.

    ``epoch`` and ``revision`` are those of the data that is served; empty and -1 without any. Ages are in seconds, ``None``
    for never: ``contact_age`` since anything was heard from the server, ``confirmed_age`` since it confirmed that this data
    is the newest. ``transport`` is ``stream`` or ``polling``. ``problem`` is the last thing that went wrong and has not
    been mended, safe to show; ``cache_problem`` the same for the disk, ``kill_list_problem`` for the local kill list, whose
    flags are in ``killed_here``. ``key_refused``: the server knows the key no more, or it may not read rules.
    ``connected``: the stream is open, or where it can't be had, the last poll was answered.
    """

    health: Health
    instance: str
    epoch: str
    revision: int
    contact_age: float | None
    confirmed_age: float | None
    transport: str
    problem: str | None
    cache_problem: str | None
    counters: Counters
    killed_here: tuple[str, ...] = ()
    kill_list_problem: str | None = None
    key_refused: bool = False
    connected: bool = False
