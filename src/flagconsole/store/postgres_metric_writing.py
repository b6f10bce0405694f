"""The statements that add measurements to PostgreSQL, roll them up and delete them. Each runs inside a transaction that holds
the metrics' lock, so that a sketch that was read is still there when the merged one is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flagconsole.domain.retention import COARSE_SECONDS, MIDDLE_SECONDS, Retention
from flagconsole.domain.sketch import merged
from flagconsole.store.metric_rows import bucket_rows, sample_rows
from flagconsole.store.metric_store import MetricWrite
from flagconsole.store.metric_tables import BUCKET_TABLES, FEEDBACK_KEPT, FINE, ROWS_AT_ONCE, BucketTable
from flagconsole.store.postgres_schema import lock_of
from flagconsole.store.session import Session

_LOCK: Final = 0x6D657472
_CRITICALS: Final = (
    "INSERT INTO metric_criticals AS known (flag_name, tenant_id, group_name, fingerprint, window_start, critical_errors) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (flag_name, window_start, tenant_id, group_name, fingerprint) "
    "DO UPDATE SET critical_errors = known.critical_errors + excluded.critical_errors"
)
_FEEDBACK: Final = (
    "INSERT INTO metric_feedback (flag_name, tenant_id, group_name, metric, kind, value, occurred_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SAMPLES: Final = (
    "INSERT INTO shadow_samples (flag_name, finding, name, detail, old, new, at) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (flag_name, finding, name, detail) DO UPDATE SET old = excluded.old, new = excluded.new, at = excluded.at"
)
_NEWEST: Final = (
    "INSERT INTO shadow_newest AS known (flag_name, at) VALUES (?, ?) "
    "ON CONFLICT (flag_name) DO UPDATE SET at = GREATEST(known.at, excluded.at)"
)
_PHASE_VALUES: Final = (
    "INSERT INTO metric_phase_values AS known "
    "(flag_name, phase_since, metric, kind, group_name, tenant_id, total, count, newest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (flag_name, phase_since, metric, kind, group_name, tenant_id) DO UPDATE SET "
    "total = known.total + excluded.total, count = known.count + excluded.count, "
    "newest = GREATEST(known.newest, excluded.newest)"
)


async def lock_metrics(session: Session, schema: str | None) -> None:
    """Let no other writer of measurements into this partition until the transaction ends. Flags don't wait for it."""
    await session.one("SELECT pg_advisory_xact_lock(?)", lock_of(_LOCK, schema))


async def add_batch(session: Session, write: MetricWrite) -> bool:
    """Add a batch unless its id is remembered. Returns whether it was new."""
    remembered = await session.run(
        "INSERT INTO metric_batches (batch_id, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
        write.batch_id,
        write.expires_at,
    )
    if not remembered:
        return False
    for table, rows in bucket_rows(write):
        await _add(session, table, rows)
    await _each(session, _CRITICALS, write.criticals)
    await _each(session, _FEEDBACK, write.feedback)
    await _each(session, _SAMPLES, sample_rows(write))
    await _each(session, _NEWEST, write.shadow_newest)
    await _each(session, _PHASE_VALUES, write.phase_values)
    return True


async def _each(session: Session, sql: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        await session.run_many(sql, rows)


async def _add(session: Session, table: BucketTable, rows: Sequence[Sequence[Any]]) -> None:
    """Add rows of buckets, which may name a bucket more than once, to those that are there."""
    if not rows:
        return
    width = len(table.key_columns)
    summed: dict[tuple[Any, ...], list[Any]] = {}
    for row in rows:
        _into(summed, table, tuple(map(_key_text, row[:width])), row[width:])
    if table.has_latency:
        await _with_latencies_there(session, table, summed)
    sums = [f"{name} = known.{name} + excluded.{name}" for name in table.sums]
    latency = ["latency = excluded.latency"] if table.has_latency else []
    marks = ", ".join("?" * len(table.columns))
    await session.run_many(
        f"INSERT INTO {table.name} AS known ({', '.join(table.columns)}) VALUES ({marks}) "
        f"ON CONFLICT ({', '.join(table.key_columns)}) DO UPDATE SET {', '.join((*sums, *latency))}",
        [(*key, *values) for key, values in summed.items()],
    )


def _key_text(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _into(
    summed: dict[tuple[Any, ...], list[Any]], table: BucketTable, key: tuple[Any, ...], values: Sequence[Any]
) -> None:
    known = summed.get(key)
    if known is None:
        summed[key] = list(values)
        return
    for number in range(len(table.sums)):
        known[number] += values[number]
    if table.has_latency:
        known[-1] = merged((known[-1], bytes(values[-1])))


async def _with_latencies_there(session: Session, table: BucketTable, summed: dict[tuple[Any, ...], list[Any]]) -> None:
    """Merge into each row the sketch that is there under its key."""
    keys = list(summed)
    columns = ", ".join(table.key_columns)
    for first in range(0, len(keys), ROWS_AT_ONCE):
        some = keys[first : first + ROWS_AT_ONCE]
        row_marks = f"({', '.join('?' * len(table.key_columns))})"
        found = await session.all(
            f"SELECT {columns}, latency FROM {table.name} WHERE ({columns}) IN ({', '.join([row_marks] * len(some))})",
            *(value for key in some for value in key),
        )
        for row in found:
            *key, latency = row
            values = summed[tuple(key)]
            values[-1] = merged((bytes(latency), values[-1]))


async def roll_up_once(session: Session, now: float, retention: Retention) -> int:
    """One piece of the work: the first of these that has something to do. Returns how many rows went."""
    for table in BUCKET_TABLES:
        for widths, seconds, until in (
            ((*FINE, MIDDLE_SECONDS), COARSE_SECONDS, retention.middle_until(now)),
            (FINE, MIDDLE_SECONDS, retention.fine_until(now)),
        ):
            widened = await _widen(session, table, widths, seconds, until)
            if widened:
                return widened
    return await _delete_old(session, now, retention)


async def _widen(session: Session, table: BucketTable, widths: tuple[int, ...], seconds: int, until: int) -> int:
    """Merge the oldest of the narrow buckets into buckets of ``seconds``. Returns how many rows went."""
    columns = ", ".join(table.columns)
    marks = ", ".join("?" * len(widths))
    taken = await session.all(
        f"DELETE FROM {table.name} WHERE ctid IN (SELECT ctid FROM {table.name} "
        f"WHERE bucket_seconds IN ({marks}) AND bucket_start < ? ORDER BY bucket_start LIMIT ?) RETURNING {columns}",
        *widths,
        until,
        ROWS_AT_ONCE,
    )
    at = len(table.keys)
    widened = []
    for row in taken:
        values = list(row)
        values[at : at + 2] = [values[at] // seconds * seconds, seconds]
        widened.append(values)
    await _add(session, table, widened)
    return len(taken)


async def _delete_old(session: Session, now: float, retention: Retention) -> int:
    old = retention.kept_until(now)
    excess = "SELECT MAX(feedback_id) - ? FROM metric_feedback"
    # Whatever is so old has been rolled up before.
    coarse = f"bucket_seconds = {COARSE_SECONDS} AND bucket_start < ?"
    for table, condition, value in (
        ("metric_batches", "expires_at <= ?", int(now)),
        *((table.name, coarse, old) for table in BUCKET_TABLES),
        ("metric_criticals", "window_start < ?", old),
        ("metric_feedback", "occurred_at < ?", old),
        ("shadow_samples", "at < ?", old),
        ("shadow_newest", "at < ?", old),
        ("metric_phase_values", "newest < ?", old),
        ("metric_feedback", f"feedback_id <= ({excess})", FEEDBACK_KEPT),
    ):
        some = f"SELECT ctid FROM {table} WHERE {condition} LIMIT {ROWS_AT_ONCE}"
        deleted = await session.run(f"DELETE FROM {table} WHERE ctid IN ({some})", value)
        if deleted:
            return deleted
    return 0
