"""What a service did, counted in buckets of time until the background thread sends it.

``record`` is called in the service's own threads, beside every operation. It takes one lock, for as long as it takes to add to
a few numbers; it does no I/O, and whatever it is given, it doesn't raise. Memory is bounded: a table that is full is closed
early, and tables that nobody could send go, oldest first, and are counted.
"""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.group import Group, group_of
from flagconsole.domain.sketch import bin_of

#: The widths that buckets may have, seconds: what goes into half a minute evenly.
BUCKET_WIDTHS: Final = (1, 2, 3, 5, 6, 10, 15, 30)
#: Tenants and flags in one table. A full one is closed before its time.
MAX_CELLS: Final = 2000
#: Tables that wait to be sent.
MAX_TABLES: Final = 10
MAX_FINGERPRINTS: Final = 20
MAX_CUSTOM: Final = 20
#: Stands for the fingerprints beyond the bound.
OTHER: Final = "other"

_NOT_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_METRIC = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LARGEST: Final = 1e12
#: Nobody evaluated, so nobody knows for which group it counts.
_GROUPLESS: Final = frozenset({Reason.STALE, Reason.FLAG_NOT_FOUND})

Values = Mapping[str, "bool | float"]
Counts = Mapping[str, int]


class Cell:
    """What was done for one tenant under one flag in one bucket."""

    __slots__ = ("bins", "conversions", "criticals", "custom", "errors", "operations", "seconds")

    def __init__(self) -> None:
        self.operations = self.errors = self.conversions = 0
        self.seconds = 0.0
        self.bins: dict[int, int] = {}
        self.criticals: dict[str, int] | None = None
        self.custom: dict[str, list[Any]] | None = None

    def written(self, start: int, flag: str, tenant: str, group: Group) -> dict[str, Any]:
        """The cell as it is sent."""
        return {
            "start": start,
            "flag_name": flag,
            "tenant_id": tenant,
            "group": group.value,
            "operations": self.operations,
            "successes": self.operations - self.errors,
            "errors": self.errors,
            "criticals": self.criticals or {},
            "conversions": self.conversions,
            "latency_seconds": self.seconds,
            "latency": sorted(self.bins.items()),
            "custom": {
                name: {"kind": kind, "total": total, "count": count}
                for name, (kind, total, count) in (self.custom or {}).items()
            },
        }


Key = tuple[str, str, Group]


class Table(NamedTuple):
    """A closed bucket: when it started, and its cells."""

    start: int
    cells: dict[Key, Cell]


class Usage:
    """Counts for one client. ``width`` is that of the buckets, in seconds."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._lock = threading.Lock()
        self._start = 0
        self._cells: dict[Key, Cell] = {}
        self._closed: deque[Table] = deque()
        #: Buckets of a tenant that were given up, so far.
        self.dropped = 0
        #: Calls of ``record`` that could not be counted: unknown flag, no rules yet, a tenant that isn't one.
        self.ignored = 0

    def record(
        self,
        evaluation: Evaluation,
        tenant: object,
        now: float,
        *,
        ok: bool = True,
        seconds: float | None = None,
        critical: object = None,
        conversion: bool = False,
        values: Values | None = None,
        counts: Counts | None = None,
        operations: int = 1,
    ) -> None:
        """Count one operation (or none) at ``now``, seconds since the epoch by the server's clock."""
        if evaluation.reason in _GROUPLESS or not isinstance(tenant, str):
            self.ignored += 1
            return
        latency = _latency(seconds)
        # Everything that could raise or takes long happens before the lock is taken.
        bin_key = None if latency is None else bin_of(latency)
        fingerprint = None if critical is None else _fingerprint(critical)
        custom = _custom(values, counts) if values or counts else ()
        key = (evaluation.flag_name, tenant, group_of(evaluation))
        start = int(now) // self.width * self.width
        with self._lock:
            if start != self._start:
                self._close(start)
            cell = self._cells.get(key)
            if cell is None:
                cell = self._new_cell(key)
                if cell is None:
                    return
            cell.operations += operations
            if not ok:
                cell.errors += 1
            if conversion:
                cell.conversions += 1
            if bin_key is not None and latency is not None:
                cell.seconds += latency
                cell.bins[bin_key] = cell.bins.get(bin_key, 0) + 1
            if fingerprint is not None:
                _add_critical(cell, fingerprint)
            for name, kind, total in custom:
                _add_custom(cell, name, kind, total)

    def take(self, now: float, *, everything: bool = False) -> list[Table]:
        """The tables of buckets that are over at ``now`` (or all), oldest first. They are the caller's from then on."""
        with self._lock:
            if everything or self._start + self.width <= now:
                self._close(0)
            taken = list(self._closed)
            self._closed.clear()
        return taken

    def after_fork(self) -> None:
        """In a child: what was counted so far is the parent's to send, and its lock may be held by nobody."""
        self._lock = threading.Lock()
        self._start, self._cells = 0, {}
        self._closed.clear()
        self.dropped = self.ignored = 0

    def _new_cell(self, key: Key) -> Cell | None:
        if not _is_tenant(key[1]):
            self.ignored += 1
            return None
        if len(self._cells) >= MAX_CELLS:
            self._close(self._start)
        cell = self._cells[key] = Cell()
        return cell

    def _close(self, following: int) -> None:
        if self._cells:
            self._closed.append(Table(self._start, self._cells))
            self._cells = {}
            if len(self._closed) > MAX_TABLES:
                self.dropped += len(self._closed.popleft().cells)
        self._start = following


def _latency(seconds: object) -> float | None:
    if isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0:
        return min(float(seconds), _LARGEST)
    return None


def _is_tenant(tenant: str) -> bool:
    """Whether the server takes it: one bad name would cost its whole batch."""
    return 0 < len(tenant) <= 128 and not tenant.isspace() and _NOT_A_LINE.search(tenant) is None


def _fingerprint(critical: object) -> str:
    try:
        text = type(critical).__name__ if isinstance(critical, BaseException) else str(critical)
    except Exception:  # a stranger's __str__ may do anything
        text = type(critical).__name__
    return _NOT_A_LINE.sub(" ", text[:128]).strip() or OTHER


def _custom(values: Values | None, counts: Counts | None) -> list[tuple[str, str, float]]:
    """Name, kind and number of what can be sent; the rest is left out."""
    found: list[tuple[str, str, float]] = []
    for given, counted in ((values, False), (counts, True)):
        if not isinstance(given, Mapping):
            continue
        for name, value in given.items():
            if not (isinstance(name, str) and isinstance(value, int | float) and _METRIC.fullmatch(name)):
                continue
            if not math.isfinite(value) or abs(value) > _LARGEST or (counted and value < 0):
                continue
            kind = "count" if counted else "ratio" if isinstance(value, bool) else "gauge"
            found.append((name, kind, float(value)))
    return found


def _add_critical(cell: Cell, fingerprint: str) -> None:
    known = cell.criticals
    if known is None:
        known = cell.criticals = {}
    if fingerprint not in known and len(known) >= MAX_FINGERPRINTS - 1:
        fingerprint = OTHER
    known[fingerprint] = known.get(fingerprint, 0) + 1


def _add_custom(cell: Cell, name: str, kind: str, total: float) -> None:
    known = cell.custom
    if known is None:
        known = cell.custom = {}
    entry = known.get(name)
    if entry is None:
        if len(known) < MAX_CUSTOM:
            known[name] = [kind, total, 1]
    elif entry[0] == kind:
        entry[1] += total
        entry[2] += 1
