"""What shadow executions came to, counted in buckets of time until the background thread sends it.

Like ``usage``: one lock for a moment, no I/O, bounded memory; a table that is full is closed early, and tables that nobody could
send go, oldest first, and are counted. Whatever comes from a service's own code is cut and cleaned here, since one bad name
would cost its whole batch.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from flagconsole.domain.execution_type import EffectKind, ExecutionType, Finding

#: Tenants, flags and types in one table, and findings. A table with too many of the former is closed before its time.
MAX_CELLS: Final = 1000
MAX_FINDINGS: Final = 300
#: Tables that wait to be sent.
MAX_TABLES: Final = 10
MAX_NAME: Final = 128
MAX_SAMPLE: Final = 200
#: Stands for the names beyond the bound.
OTHER: Final = "other"

_NOT_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MOST: Final = 10**9


class Found(NamedTuple):
    """One thing that an execution showed. ``old`` and ``new`` are samples, already redacted."""

    finding: Finding
    name: str
    detail: str = ""
    old: str | None = None
    new: str | None = None


class Executed(NamedTuple):
    """One execution, or with ``skipped`` one that the budget left out. ``live_seconds`` is None where nothing was compared."""

    flag: str
    tenant: str
    execution_type: ExecutionType
    seconds: float = 0.0
    success: bool = False
    error: bool = False
    skipped: bool = False
    live_seconds: float | None = None
    consistent: bool = False
    intents: int = 0
    invalid_intents: int = 0
    effects: Mapping[EffectKind, int] = {}
    found: Sequence[Found] = ()


class ShadowCell:
    """What one tenant's executions of one type under one flag came to in one bucket."""

    __slots__ = (
        "compared",
        "consistent",
        "effects",
        "errors",
        "executions",
        "intents",
        "invalid_intents",
        "live_seconds",
        "seconds",
        "skipped",
        "successes",
    )

    def __init__(self) -> None:
        self.executions = self.successes = self.errors = self.skipped = 0
        self.compared = self.consistent = self.intents = self.invalid_intents = 0
        self.seconds = self.live_seconds = 0.0
        self.effects: dict[EffectKind, int] = {}

    def add(self, executed: Executed) -> None:
        """Count one."""
        if executed.skipped:
            self.skipped += 1
            return
        self.executions += 1
        self.successes += executed.success
        self.errors += executed.error
        self.seconds += executed.seconds
        if executed.live_seconds is not None:
            self.compared += 1
            self.live_seconds += executed.live_seconds
            self.consistent += executed.consistent
        self.intents += executed.intents
        self.invalid_intents += executed.invalid_intents
        for kind, times in executed.effects.items():
            self.effects[kind] = min(_MOST, self.effects.get(kind, 0) + times)

    def written(self, start: int, flag: str, tenant: str, kind: ExecutionType) -> dict[str, Any]:
        """The cell as it is sent."""
        numbers = {name: getattr(self, name) for name in self.__slots__}
        return {"start": start, "flag_name": flag, "tenant_id": tenant, "execution_type": kind.value, **numbers}


CellKey = tuple[str, str, ExecutionType]
FindingKey = tuple[str, Finding, str, str]


class ShadowTable(NamedTuple):
    """A closed bucket: when it started, its cells, and the findings with how often and the newest samples."""

    start: int
    cells: dict[CellKey, ShadowCell]
    findings: dict[FindingKey, list[Any]]

    def written_findings(self) -> list[dict[str, Any]]:
        """The findings as they are sent."""
        return [
            {
                "start": self.start,
                "flag_name": flag,
                "finding": finding.value,
                "name": name,
                "detail": detail,
                "times": times,
                "old": old,
                "new": new,
            }
            for (flag, finding, name, detail), (times, old, new) in self.findings.items()
        ]


class ShadowLog:
    """Counts for one client. ``width`` is that of the buckets, in seconds."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._lock = threading.Lock()
        self._table = ShadowTable(0, {}, {})
        self._closed: deque[ShadowTable] = deque()
        #: Buckets of a tenant that were given up, so far.
        self.dropped = 0
        #: Executions that could not be counted: for a tenant that isn't one.
        self.ignored = 0

    def add(self, executed: Executed, now: float) -> None:
        """Count one execution at ``now``, seconds since the epoch by the server's clock."""
        if not _is_tenant(executed.tenant):
            self.ignored += 1
            return
        key = (executed.flag, executed.tenant, executed.execution_type)
        found = [_clean(item) for item in executed.found]
        start = int(now) // self.width * self.width
        with self._lock:
            if start != self._table.start:
                self._close(start)
            if key not in self._table.cells and len(self._table.cells) >= MAX_CELLS:
                self._close(start)
            self._table.cells.setdefault(key, ShadowCell()).add(executed)
            for item in found:
                self._find(executed.flag, item)

    def take(self, now: float, *, everything: bool = False) -> list[ShadowTable]:
        """The tables of buckets that are over at ``now`` (or all), oldest first. They are the caller's from then on."""
        with self._lock:
            if everything or self._table.start + self.width <= now:
                self._close(0)
            taken = list(self._closed)
            self._closed.clear()
        return taken

    def after_fork(self) -> None:
        """In a child: what was counted so far is the parent's to send, and its lock may be held by nobody."""
        self._lock = threading.Lock()
        self._table = ShadowTable(0, {}, {})
        self._closed.clear()
        self.dropped = self.ignored = 0

    def _find(self, flag: str, item: Found) -> None:
        findings = self._table.findings
        key = (flag, item.finding, item.name, item.detail)
        if key not in findings and len(findings) >= MAX_FINDINGS:
            key, item = (flag, item.finding, OTHER, ""), item._replace(old=None, new=None)
            if key not in findings and len(findings) >= MAX_FINDINGS + len(Finding):
                return
        entry = findings.setdefault(key, [0, None, None])
        entry[0] += 1
        if item.old is not None or item.new is not None:
            entry[1:] = item.old, item.new

    def _close(self, following: int) -> None:
        if self._table.cells:
            self._closed.append(self._table)
            if len(self._closed) > MAX_TABLES:
                self.dropped += len(self._closed.popleft().cells)
        self._table = ShadowTable(following, {}, {})


def one_line(text: str, limit: int) -> str:
    """``text`` in one line without control characters, ``limit`` characters at most; never empty."""
    clean = _NOT_A_LINE.sub(" ", text[: limit + 1]).strip()
    return (clean if len(clean) <= limit else clean[: limit - 1] + "…") or "?"


def _clean(item: Found) -> Found:
    return Found(
        item.finding,
        one_line(item.name, MAX_NAME),
        one_line(item.detail, MAX_NAME) if item.detail else "",
        None if item.old is None else one_line(item.old, MAX_SAMPLE),
        None if item.new is None else one_line(item.new, MAX_SAMPLE),
    )


def _is_tenant(tenant: object) -> bool:
    return (
        isinstance(tenant, str)
        and 0 < len(tenant) <= MAX_NAME
        and not tenant.isspace()
        and _NOT_A_LINE.search(tenant) is None
    )
