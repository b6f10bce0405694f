"""The statements that add measurements to the embedded store, roll them up and delete them. Each runs inside a transaction."""

from __future__ import annotations

import sqlite3
from typing import Final, NamedTuple

from flagconsole.domain.retention import COARSE_SECONDS, MIDDLE_SECONDS, Retention
from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.domain.tally import Tally
from flagconsole.store.metric_store import MetricWrite

#: Feedback beyond this many rows goes, oldest first.
FEEDBACK_KEPT: Final = 1_000_000
#: Rows that one transaction merges or deletes, so that nobody waits for it for long.
_ROWS_AT_ONCE: Final = 2_000
#: The widths that buckets can arrive with (``telemetry.TelemetryBatch``).
_FINE: Final = (1, 2, 3, 5, 6, 10, 15, 30)


class _Table(NamedTuple):
    """A table of buckets: what names a row besides its bucket, and what is summed."""

    name: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    has_latency: bool

    @property
    def columns(self) -> tuple[str, ...]:
        latency = ("latency",) if self.has_latency else ()
        return (*self.keys, "bucket_start", "bucket_seconds", *self.sums, *latency)

    @property
    def on_conflict(self) -> str:
        """Add to the row that is there."""
        added = [f"{name} = {name} + excluded.{name}" for name in self.sums]
        if self.has_latency:
            added.append("latency = merge_latency(latency, excluded.latency)")
        keys = ", ".join((*self.keys, "bucket_start", "bucket_seconds"))
        return f"ON CONFLICT ({keys}) DO UPDATE SET {', '.join(added)}"

    @property
    def insert(self) -> str:
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({marks}) {self.on_conflict}"

    @property
    def widen(self) -> str:
        """Add the picked rows to buckets ?1 wide."""
        sums = ", ".join(f"SUM({name})" for name in self.sums)
        latency = ", merge_latencies(latency)" if self.has_latency else ""
        keys = ", ".join(self.keys)
        # Without a WHERE, SQLite would take ON CONFLICT for the ON of a join.
        return (
            f"INSERT INTO {self.name} ({', '.join(self.columns)}) "
            f"SELECT {keys}, bucket_start / ?1 * ?1 AS at, ?1, {sums}{latency} FROM {self.name} "
            f"WHERE rowid IN (SELECT id FROM temp.picked) GROUP BY {keys}, at {self.on_conflict}"
        )


TENANTS: Final = _Table("feature_usage_log", ("flag_name", "tenant_id", "group_name"), Tally._fields, True)
GROUPS: Final = _Table("metric_groups", ("flag_name", "group_name"), Tally._fields, True)
VALUES: Final = _Table("metric_values", ("flag_name", "group_name", "metric", "kind"), ("total", "count"), False)
SHADOW: Final = _Table("shadow_executions", ("flag_name", "tenant_id", "execution_type"), ShadowTally._fields, False)
FINDINGS: Final = _Table("shadow_findings", ("flag_name", "finding", "name", "detail"), ("times",), False)
_TABLES: Final = (TENANTS, GROUPS, VALUES, SHADOW, FINDINGS)
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
    connection.executemany(
        TENANTS.insert,
        [
            (row.flag_name, row.tenant_id, row.group, row.start, row.seconds, *row.tally, row.latency)
            for row in write.tenants
        ],
    )
    connection.executemany(
        GROUPS.insert,
        [(row.flag_name, row.group, row.start, row.seconds, *row.tally, row.latency) for row in write.groups],
    )
    connection.executemany(
        VALUES.insert,
        [
            (row.flag_name, row.group, row.metric, row.kind, row.start, row.seconds, row.total, row.samples)
            for row in write.values
        ],
    )
    connection.executemany(_CRITICALS, write.criticals)
    connection.executemany(_FEEDBACK, write.feedback)
    _add_shadow(connection, write)
    connection.executemany(_PHASE_VALUES, write.phase_values)
    return True


def _add_shadow(connection: sqlite3.Connection, write: MetricWrite) -> None:
    connection.executemany(
        SHADOW.insert,
        [
            (row.flag_name, row.tenant_id, row.execution_type, row.start, row.seconds, *row.tally)
            for row in write.shadow
        ],
    )
    connection.executemany(FINDINGS.insert, [row[:7] for row in write.findings])
    connection.executemany(
        _SAMPLES,
        [
            (*row[:4], row.old, row.new, row.start)
            for row in write.findings
            if row.old is not None or row.new is not None
        ],
    )
    connection.executemany(_NEWEST, write.shadow_newest)


def roll_up_once(connection: sqlite3.Connection, now: float, retention: Retention) -> int:
    """One piece of the work: the first of these that has something to do. Returns how many rows went."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS picked (id INTEGER PRIMARY KEY)")
    for table in _TABLES:
        for widths, seconds, until in (
            ((*_FINE, MIDDLE_SECONDS), COARSE_SECONDS, retention.middle_until(now)),
            (_FINE, MIDDLE_SECONDS, retention.fine_until(now)),
        ):
            for width in widths:
                widened = _widen(connection, table, width, seconds, until)
                if widened:
                    return widened
    return _delete_old(connection, now, retention)


def _widen(connection: sqlite3.Connection, table: _Table, width: int, seconds: int, until: int) -> int:
    """Merge the oldest buckets of one ``width`` into buckets of ``seconds``. Returns how many rows went.

    Not all rows of one wide bucket have to come at once: what comes later is added to it.
    """
    connection.execute("DELETE FROM temp.picked")
    connection.execute(
        f"INSERT INTO temp.picked SELECT rowid FROM {table.name} "
        "WHERE bucket_seconds = ? AND bucket_start < ? ORDER BY bucket_start LIMIT ?",
        (width, until, _ROWS_AT_ONCE),
    )
    connection.execute(table.widen, (seconds,))
    return connection.execute(f"DELETE FROM {table.name} WHERE rowid IN (SELECT id FROM temp.picked)").rowcount


def _delete_old(connection: sqlite3.Connection, now: float, retention: Retention) -> int:
    old = retention.kept_until(now)
    excess = "SELECT MAX(feedback_id) - ? FROM metric_feedback"
    # Whatever is so old has been rolled up before.
    coarse = f"bucket_seconds = {COARSE_SECONDS} AND bucket_start < ?"
    for table, condition, value in (
        ("metric_batches", "expires_at <= ?", int(now)),
        *((table.name, coarse, old) for table in _TABLES),
        ("metric_criticals", "window_start < ?", old),
        ("metric_feedback", "occurred_at < ?", old),
        ("shadow_samples", "at < ?", old),
        ("shadow_newest", "at < ?", old),
        ("metric_phase_values", "newest < ?", old),
        ("metric_feedback", f"feedback_id <= ({excess})", FEEDBACK_KEPT),
    ):
        some = f"SELECT rowid FROM {table} WHERE {condition} LIMIT {_ROWS_AT_ONCE}"
        deleted = connection.execute(f"DELETE FROM {table} WHERE rowid IN ({some})", (value,)).rowcount
        if deleted:
            return deleted
    return 0
