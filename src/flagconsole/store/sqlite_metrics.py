"""Measurements in the embedded store, on connections and in a thread of their own, so that no flag ever waits for them for
longer than one short write."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import Any, Final, TypeVar

from flagconsole.domain.group import Group
from flagconsole.domain.retention import Retention
from flagconsole.domain.sketch import merged
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import INCIDENT_SECONDS, CustomKind
from flagconsole.store.metric_store import Critical, GroupBucket, MetricWrite, PhaseMoments, TenantRow, ValueBucket
from flagconsole.store.metric_tables import BATCHES_AT_ONCE
from flagconsole.store.sqlite_metric_writing import add_batch, roll_up_once
from flagconsole.store.sqlite_shadow import SqliteShadow
from flagconsole.store.write_gate import WriteGate

_GROUPS: Final = {group.value: group for group in Group}
_SUMS: Final = ", ".join(f"SUM({name})" for name in Tally._fields)

T = TypeVar("T")


class SqliteMetrics(SqliteShadow):
    """``MetricStore`` on two connections to the file of a ``SqliteStore``, whose writers' gate it shares."""

    def __init__(
        self,
        writer: sqlite3.Connection,
        reader: sqlite3.Connection,
        gate: WriteGate,
        translated: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._gate = gate
        self._translated = translated
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="flagconsole-metrics-write")
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="flagconsole-metrics-read")
        for connection in (writer, reader):
            _teach(connection)

    async def save(self, writes: Sequence[MetricWrite]) -> list[bool]:
        new: list[bool] = []
        for first in range(0, len(writes), BATCHES_AT_ONCE):
            some = writes[first : first + BATCHES_AT_ONCE]
            new += await self._write(lambda some=some: [add_batch(self._writer, write) for write in some])  # type: ignore[misc]
        return new

    async def roll_up(self, now: float, retention: Retention) -> int:
        return await self._write(lambda: roll_up_once(self._writer, now, retention))

    async def group_series(self, flag_name: str, since: int, until: int, step: int) -> list[GroupBucket]:
        sql = (
            f"SELECT group_name, bucket_start / ?1 * ?1 AS at, {_SUMS}, merge_latencies(latency) FROM metric_groups "
            "WHERE flag_name = ?2 AND bucket_start >= ?3 AND bucket_start < ?4 GROUP BY at, group_name ORDER BY at"
        )
        return [
            GroupBucket(flag_name, Group(row[0]), row[1], step, Tally(*row[2:9]), row[9])
            for row in await self._read(sql, step, flag_name, since, until)
        ]

    async def value_series(self, flag_name: str, since: int, until: int, step: int) -> list[ValueBucket]:
        sql = (
            "SELECT group_name, metric, kind, at, SUM(total), SUM(times) FROM ("
            "SELECT group_name, metric, kind, bucket_start / ?1 * ?1 AS at, total, count AS times FROM metric_values "
            "WHERE flag_name = ?2 AND bucket_start >= ?3 AND bucket_start < ?4 UNION ALL "
            "SELECT group_name, metric, kind, occurred_at / ?1 * ?1, value, 1 FROM metric_feedback "
            "WHERE flag_name = ?2 AND occurred_at >= ?3 AND occurred_at < ?4"
            ") GROUP BY at, group_name, metric, kind ORDER BY at"
        )
        return [
            ValueBucket(flag_name, Group(row[0]), row[1], CustomKind(row[2]), row[3], step, row[4], row[5])
            for row in await self._read(sql, step, flag_name, since, until)
        ]

    async def phase_moments(self, flag_name: str, since: int) -> list[PhaseMoments]:
        sql = (
            "SELECT metric, kind, group_name, COUNT(*), SUM(total), SUM(count), "
            "SUM(total * total), SUM(total * count), SUM(1.0 * count * count) FROM metric_phase_values "
            "WHERE flag_name = ? AND phase_since = ? GROUP BY metric, kind, group_name ORDER BY metric, kind, group_name"
        )
        return [
            PhaseMoments(row[0], CustomKind(row[1]), Group(row[2]), *row[3:9])
            for row in await self._read(sql, flag_name, since)
        ]

    async def tenant_rows(self, flag_name: str, since: int, until: int) -> list[TenantRow]:
        sql = (
            "SELECT tenant_id, group_name, operations, errors, critical_errors, conversions, latency FROM feature_usage_log "
            "WHERE flag_name = ? AND bucket_start >= ? AND bucket_start < ? ORDER BY bucket_start, tenant_id, group_name"
        )

        def read() -> list[TenantRow]:
            # Made in the reading thread: a look may read tens of thousands.
            found = self._reader.cursor()
            found.row_factory = None
            rows = found.execute(sql, (flag_name, since, until))
            return [TenantRow(tenant, _GROUPS[group], *rest) for tenant, group, *rest in rows]

        with self._translated():
            return await _in(self._reading, read)

    async def active_tenants(self, flag_name: str, since: int, until: int) -> dict[Group | None, int]:
        active = (
            "FROM feature_usage_log WHERE flag_name = ?1 AND bucket_start > ?2 - 3600 "
            "AND bucket_start + bucket_seconds > ?2 AND bucket_start < ?3 AND operations > 0 AND tenant_id != ''"
        )
        sql = (
            f"SELECT group_name, COUNT(DISTINCT tenant_id) {active} GROUP BY group_name "
            f"UNION ALL SELECT NULL, COUNT(DISTINCT tenant_id) {active}"
        )
        found = await self._read(sql, flag_name, since, until)
        return {None if row[0] is None else Group(row[0]): row[1] for row in found}

    async def criticals(self, flag_name: str, since: int, until: int) -> list[Critical]:
        sql = (
            "SELECT flag_name, tenant_id, group_name, fingerprint, window_start, critical_errors FROM metric_criticals "
            "WHERE flag_name = ? AND window_start > ? AND window_start < ? ORDER BY window_start, tenant_id, fingerprint"
        )
        found = await self._read(sql, flag_name, since - INCIDENT_SECONDS, until)
        return [Critical(row[0], row[1], Group(row[2]), row[3], row[4], row[5]) for row in found]

    async def newest(self, flag_name: str) -> int | None:
        # The primary key is by start, so the newest hundred hold the one that ends last, however wide the others are.
        sql = (
            "SELECT MAX(bucket_start + bucket_seconds) FROM (SELECT bucket_start, bucket_seconds FROM metric_groups "
            "WHERE flag_name = ? ORDER BY bucket_start DESC LIMIT 100)"
        )
        end: int | None = (await self._read(sql, flag_name))[0][0]
        return end

    async def widest(self, flag_name: str, since: int, until: int) -> int:
        sql = "SELECT MAX(bucket_seconds) FROM {} WHERE flag_name = ?1 AND bucket_start >= ?2 AND bucket_start < ?3"
        both = f"{sql.format('metric_groups')} UNION ALL {sql.format('metric_values')}"
        return max((row[0] or 1 for row in await self._read(both, flag_name, since, until)), default=1)

    async def _read(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        with self._translated():
            return await _in(self._reading, lambda: self._reader.execute(sql, values).fetchall())

    async def _write(self, work: Callable[[], T]) -> T:
        def transaction() -> T:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = work()
                self._writer.commit()
                return result
            finally:
                self._writer.rollback()

        async with self._gate.entered():
            with self._translated():
                return await _in(self._writing, transaction)

    def close(self) -> None:
        """Wait for what is under way, and close the connections."""
        for thread in (self._writing, self._reading):
            thread.shutdown(wait=True)
        self._writer.close()
        self._reader.close()


async def _in(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    # Shielded: a caller that gives up must not let another use the connection while this work still does.
    future = asyncio.get_running_loop().run_in_executor(thread, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        with suppress(Exception):
            await future
        raise


class _MergeLatencies:
    """``merge_latencies(latency)``: the sketches of many rows as one."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def step(self, latency: bytes) -> None:
        self._parts.append(latency)
        if len(self._parts) > 256:
            self._parts = [merged(self._parts)]

    def finalize(self) -> bytes:
        return merged(self._parts)


def _teach(connection: sqlite3.Connection) -> None:
    """Give a connection the functions on sketches that the statements use."""
    connection.create_aggregate("merge_latencies", 1, _MergeLatencies)  # type: ignore[arg-type]
    connection.create_function("merge_latency", 2, lambda one, other: merged((one, other)), deterministic=True)
