"""Measurements in PostgreSQL. Sketches are merged here, not in the database, which doesn't know them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from flagconsole.domain.execution_type import ExecutionType, Finding
from flagconsole.domain.group import Group
from flagconsole.domain.retention import Retention
from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.domain.sketch import merged
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import INCIDENT_SECONDS, CustomKind
from flagconsole.store.metric_store import Critical, GroupBucket, MetricWrite, PhaseMoments, TenantRow, ValueBucket
from flagconsole.store.metric_tables import BATCHES_AT_ONCE
from flagconsole.store.postgres_metric_writing import add_batch, lock_metrics, roll_up_once
from flagconsole.store.postgres_session import Connection, PostgresSession
from flagconsole.store.session import Row
from flagconsole.store.shadow_store import ShadowFound, ShadowUsage

#: Begins a transaction, which ends with the block.
Transactions = Callable[[], AbstractAsyncContextManager[Connection]]

_GROUPS: Final = {group.value: group for group in Group}
_TYPES: Final = {
    "latency_seconds": "double precision",
    "seconds": "double precision",
    "live_seconds": "double precision",
}


def _sums(fields: tuple[str, ...]) -> str:
    # A sum of integers would come as a numeric, of which Python makes a Decimal.
    return ", ".join(f"SUM({name})::{_TYPES.get(name, 'bigint')}" for name in fields)


class PostgresMetrics:
    """``MetricStore`` and ``ShadowStore`` on the transactions of a ``PostgresStore``, in its schema."""

    def __init__(self, reading: Transactions, writing: Transactions, schema: str | None) -> None:
        self._reading = reading
        self._writing = writing
        self._schema = schema

    async def save(self, writes: Sequence[MetricWrite]) -> list[bool]:
        new: list[bool] = []
        for first in range(0, len(writes), BATCHES_AT_ONCE):
            async with self._writing() as connection:
                session = PostgresSession(connection, None)
                await lock_metrics(session, self._schema)
                new += [await add_batch(session, write) for write in writes[first : first + BATCHES_AT_ONCE]]
        return new

    async def roll_up(self, now: float, retention: Retention) -> int:
        async with self._writing() as connection:
            session = PostgresSession(connection, None)
            await lock_metrics(session, self._schema)
            return await roll_up_once(session, now, retention)

    async def group_series(self, flag_name: str, since: int, until: int, step: int) -> list[GroupBucket]:
        sql = (
            f"SELECT group_name, bucket_start / ? * ? AS starts, {_sums(Tally._fields)}, array_agg(latency) "
            "FROM metric_groups WHERE flag_name = ? AND bucket_start >= ? AND bucket_start < ? "
            "GROUP BY starts, group_name ORDER BY starts, group_name"
        )
        found = await self._read(sql, step, step, flag_name, since, until)

        def made() -> list[GroupBucket]:
            return [
                GroupBucket(flag_name, Group(row[0]), row[1], step, Tally(*list(row)[2:9]), merged(row[9]))
                for row in found
            ]

        return await asyncio.to_thread(made)

    async def value_series(self, flag_name: str, since: int, until: int, step: int) -> list[ValueBucket]:
        sql = (
            "SELECT group_name, metric, kind, starts, SUM(total)::double precision, SUM(times)::bigint FROM ("
            "SELECT group_name, metric, kind, bucket_start / ? * ? AS starts, total, count AS times FROM metric_values "
            "WHERE flag_name = ? AND bucket_start >= ? AND bucket_start < ? UNION ALL "
            "SELECT group_name, metric, kind, occurred_at / ? * ?, value, 1 FROM metric_feedback "
            "WHERE flag_name = ? AND occurred_at >= ? AND occurred_at < ?"
            ") AS found GROUP BY starts, group_name, metric, kind ORDER BY starts, group_name, metric, kind"
        )
        span = (step, step, flag_name, since, until)
        return [
            ValueBucket(flag_name, Group(row[0]), row[1], CustomKind(row[2]), row[3], step, row[4], row[5])
            for row in await self._read(sql, *span, *span)
        ]

    async def phase_moments(self, flag_name: str, since: int) -> list[PhaseMoments]:
        sql = (
            "SELECT metric, kind, group_name, COUNT(*), SUM(total)::double precision, SUM(count)::bigint, "
            "SUM(total * total)::double precision, SUM(total * count)::double precision, "
            "SUM(1.0 * count * count)::double precision FROM metric_phase_values "
            "WHERE flag_name = ? AND phase_since = ? GROUP BY metric, kind, group_name ORDER BY metric, kind, group_name"
        )
        return [
            PhaseMoments(row[0], CustomKind(row[1]), Group(row[2]), *list(row)[3:9])
            for row in await self._read(sql, flag_name, since)
        ]

    async def tenant_rows(self, flag_name: str, since: int, until: int) -> list[TenantRow]:
        sql = (
            "SELECT tenant_id, group_name, operations, errors, critical_errors, conversions, latency FROM feature_usage_log "
            "WHERE flag_name = ? AND bucket_start >= ? AND bucket_start < ? ORDER BY bucket_start, tenant_id, group_name"
        )
        found = await self._read(sql, flag_name, since, until)

        def made() -> list[TenantRow]:
            return [TenantRow(tenant, _GROUPS[group], *rest) for tenant, group, *rest in found]

        return await asyncio.to_thread(made)

    async def active_tenants(self, flag_name: str, since: int, until: int) -> dict[Group | None, int]:
        active = (
            "FROM feature_usage_log WHERE flag_name = ? AND bucket_start > ? "
            "AND bucket_start + bucket_seconds > ? AND bucket_start < ? AND operations > 0 AND tenant_id != ''"
        )
        sql = (
            f"SELECT group_name, COUNT(DISTINCT tenant_id) {active} GROUP BY group_name "
            f"UNION ALL SELECT NULL, COUNT(DISTINCT tenant_id) {active}"
        )
        span = (flag_name, since - 3600, since, until)
        found = await self._read(sql, *span, *span)
        return {None if row[0] is None else Group(row[0]): row[1] for row in found}

    async def criticals(self, flag_name: str, since: int, until: int) -> list[Critical]:
        sql = (
            "SELECT flag_name, tenant_id, group_name, fingerprint, window_start, critical_errors FROM metric_criticals "
            "WHERE flag_name = ? AND window_start > ? AND window_start < ? ORDER BY window_start, tenant_id, fingerprint"
        )
        found = await self._read(sql, flag_name, since - INCIDENT_SECONDS, until)
        return [Critical(row[0], row[1], Group(row[2]), row[3], row[4], row[5]) for row in found]

    async def newest(self, flag_name: str) -> int | None:
        sql = (
            "SELECT MAX(bucket_start + bucket_seconds) FROM (SELECT bucket_start, bucket_seconds FROM metric_groups "
            "WHERE flag_name = ? ORDER BY bucket_start DESC LIMIT 100) AS newest"
        )
        end: int | None = (await self._read(sql, flag_name))[0][0]
        return end

    async def widest(self, flag_name: str, since: int, until: int) -> int:
        sql = "SELECT MAX(bucket_seconds) FROM {} WHERE flag_name = ? AND bucket_start >= ? AND bucket_start < ?"
        both = f"{sql.format('metric_groups')} UNION ALL {sql.format('metric_values')}"
        span = (flag_name, since, until)
        return max((row[0] or 1 for row in await self._read(both, *span, *span)), default=1)

    async def shadow_usage(self, flag_name: str, since: int, until: int) -> list[ShadowUsage]:
        sql = (
            f"SELECT tenant_id, execution_type, {_sums(ShadowTally._fields)} FROM shadow_executions "
            "WHERE flag_name = ? AND bucket_start >= ? AND bucket_start < ? "
            "GROUP BY tenant_id, execution_type ORDER BY tenant_id, execution_type"
        )
        found = await self._read(sql, flag_name, since, until)
        return [ShadowUsage(row[0], ExecutionType(row[1]), ShadowTally(*list(row)[2:])) for row in found]

    async def shadow_findings(self, flag_name: str, since: int, until: int) -> list[ShadowFound]:
        sql = (
            "SELECT found.finding, found.name, found.detail, found.times, sample.old, sample.new FROM ("
            "SELECT flag_name, finding, name, detail, SUM(times)::bigint AS times FROM shadow_findings "
            "WHERE flag_name = ? AND bucket_start >= ? AND bucket_start < ? GROUP BY flag_name, finding, name, detail"
            ") AS found LEFT JOIN shadow_samples AS sample USING (flag_name, finding, name, detail) "
            "ORDER BY found.times DESC, found.finding, found.name, found.detail"
        )
        found = await self._read(sql, flag_name, since, until)
        return [ShadowFound(Finding(row[0]), *list(row)[1:]) for row in found]

    async def shadow_newest(self, flag_name: str) -> int | None:
        found = await self._read("SELECT at FROM shadow_newest WHERE flag_name = ?", flag_name)
        return found[0][0] if found else None

    async def _read(self, sql: str, *values: Any) -> Sequence[Row]:
        async with self._reading() as connection:
            return await PostgresSession(connection, None).all(sql, *values)
