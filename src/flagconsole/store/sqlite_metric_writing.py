"""The statements that add measurements to the embedded store, roll them up and delete them. Each runs inside a transaction."""

from __future__ import annotations

import sqlite3

from flagconsole.domain.retention import COARSE_SECONDS, MIDDLE_SECONDS, Retention
from flagconsole.store.metric_rows import bucket_rows, sample_rows
from flagconsole.store.metric_store import MetricWrite
from flagconsole.store.metric_tables import BUCKET_TABLES, FEEDBACK_KEPT, FINE, ROWS_AT_ONCE, BucketTable


def _on_conflict(table: BucketTable) -> str:
    """Add to the row that is there."""
    added = [f"{name} = {name} + excluded.{name}" for name in table.sums]
    if table.has_latency:
        added.append("latency = merge_latency(latency, excluded.latency)")
    return f"ON CONFLICT ({', '.join(table.key_columns)}) DO UPDATE SET {', '.join(added)}"


def _insert(table: BucketTable) -> str:
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks}) {_on_conflict(table)}"


def _widening(table: BucketTable) -> str:
    """Add the picked rows to buckets ?1 wide."""
    sums = ", ".join(f"SUM({name})" for name in table.sums)
    latency = ", merge_latencies(latency)" if table.has_latency else ""
    keys = ", ".join(table.keys)
    # Without a WHERE, SQLite would take ON CONFLICT for the ON of a join.
    return (
        f"INSERT INTO {table.name} ({', '.join(table.columns)}) "
        f"SELECT {keys}, bucket_start / ?1 * ?1 AS at, ?1, {sums}{latency} FROM {table.name} "
        f"WHERE rowid IN (SELECT id FROM temp.picked) GROUP BY {keys}, at {_on_conflict(table)}"
    )


_CRITICALS = (
    "INSERT INTO metric_criticals (flag_name, tenant_id, group_name, fingerprint, window_start, critical_errors) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (flag_name, window_start, tenant_id, group_name, fingerprint) "
    "DO UPDATE SET critical_errors = critical_errors + excluded.critical_errors"
)
_FEEDBACK = (
    "INSERT INTO metric_feedback (flag_name, tenant_id, group_name, metric, kind, value, occurred_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_SAMPLES = (
    "INSERT INTO shadow_samples (flag_name, finding, name, detail, old, new, at) VALUES (?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (flag_name, finding, name, detail) DO UPDATE SET old = excluded.old, new = excluded.new, at = excluded.at"
)
_NEWEST = "INSERT INTO shadow_newest (flag_name, at) VALUES (?, ?) ON CONFLICT (flag_name) DO UPDATE SET at = MAX(at, excluded.at)"
_PHASE_VALUES = (
    "INSERT INTO metric_phase_values "
    "(flag_name, phase_since, metric, kind, group_name, tenant_id, total, count, newest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (flag_name, phase_since, metric, kind, group_name, tenant_id) DO UPDATE SET total = total + excluded.total, "
    "count = count + excluded.count, newest = MAX(newest, excluded.newest)"
)


def add_batch(connection: sqlite3.Connection, write: MetricWrite) -> bool:
    """Add a batch unless its id is remembered. Returns whether it was new."""
    remembered = connection.execute(
        "INSERT INTO metric_batches (batch_id, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (write.batch_id, write.expires_at),
    )
    if not remembered.rowcount:
        return False
    for table, rows in bucket_rows(write):
        connection.executemany(_insert(table), rows)
    connection.executemany(_CRITICALS, write.criticals)
    connection.executemany(_FEEDBACK, write.feedback)
    connection.executemany(_SAMPLES, sample_rows(write))
    connection.executemany(_NEWEST, write.shadow_newest)
    connection.executemany(_PHASE_VALUES, write.phase_values)
    return True


def roll_up_once(connection: sqlite3.Connection, now: float, retention: Retention) -> int:
    """One piece of the work: the first of these that has something to do. Returns how many rows went."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS picked (id INTEGER PRIMARY KEY)")
    for table in BUCKET_TABLES:
        for widths, seconds, until in (
            ((*FINE, MIDDLE_SECONDS), COARSE_SECONDS, retention.middle_until(now)),
            (FINE, MIDDLE_SECONDS, retention.fine_until(now)),
        ):
            for width in widths:
                widened = _widen(connection, table, width, seconds, until)
                if widened:
                    return widened
    return _delete_old(connection, now, retention)


def _widen(connection: sqlite3.Connection, table: BucketTable, width: int, seconds: int, until: int) -> int:
    """Merge the oldest buckets of one ``width`` into buckets of ``seconds``. Returns how many rows went.

    Not all rows of one wide bucket have to come at once: what comes later is added to it.
    """
    connection.execute("DELETE FROM temp.picked")
    connection.execute(
        f"INSERT INTO temp.picked SELECT rowid FROM {table.name} "
        "WHERE bucket_seconds = ? AND bucket_start < ? ORDER BY bucket_start LIMIT ?",
        (width, until, ROWS_AT_ONCE),
    )
    connection.execute(_widening(table), (seconds,))
    return connection.execute(f"DELETE FROM {table.name} WHERE rowid IN (SELECT id FROM temp.picked)").rowcount


def _delete_old(connection: sqlite3.Connection, now: float, retention: Retention) -> int:
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
        some = f"SELECT rowid FROM {table} WHERE {condition} LIMIT {ROWS_AT_ONCE}"
        deleted = connection.execute(f"DELETE FROM {table} WHERE rowid IN ({some})", (value,)).rowcount
        if deleted:
            return deleted
    return 0
