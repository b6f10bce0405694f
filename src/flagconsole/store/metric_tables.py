"""The tables of buckets, alike in every backend."""

from __future__ import annotations

from typing import Final, NamedTuple

from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.domain.tally import Tally

#: Feedback beyond this many rows goes, oldest first.
FEEDBACK_KEPT: Final = 1_000_000
#: Rows that one transaction merges or deletes, so that nobody waits for it for long.
ROWS_AT_ONCE: Final = 2_000
#: Batches in one transaction. A kill in the embedded store waits for one such transaction at most.
BATCHES_AT_ONCE: Final = 2
#: The widths that buckets can arrive with (``telemetry.TelemetryBatch``).
FINE: Final = (1, 2, 3, 5, 6, 10, 15, 30)


class BucketTable(NamedTuple):
    """A table of buckets: what names a row besides its bucket, and what is summed."""

    name: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    has_latency: bool

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The primary key."""
        return (*self.keys, "bucket_start", "bucket_seconds")

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column, as rows of the table are written."""
        latency = ("latency",) if self.has_latency else ()
        return (*self.key_columns, *self.sums, *latency)


TENANTS: Final = BucketTable("feature_usage_log", ("flag_name", "tenant_id", "group_name"), Tally._fields, True)
GROUPS: Final = BucketTable("metric_groups", ("flag_name", "group_name"), Tally._fields, True)
VALUES: Final = BucketTable("metric_values", ("flag_name", "group_name", "metric", "kind"), ("total", "count"), False)
SHADOW: Final = BucketTable(
    "shadow_executions", ("flag_name", "tenant_id", "execution_type"), ShadowTally._fields, False
)
FINDINGS: Final = BucketTable("shadow_findings", ("flag_name", "finding", "name", "detail"), ("times",), False)
BUCKET_TABLES: Final = (TENANTS, GROUPS, VALUES, SHADOW, FINDINGS)
