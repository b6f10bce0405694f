"""How a batch of measurements lies in the rows of its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flagconsole.store.metric_store import MetricWrite
from flagconsole.store.metric_tables import FINDINGS, GROUPS, SHADOW, TENANTS, VALUES, BucketTable

Rows = list[tuple[Any, ...]]


def bucket_rows(write: MetricWrite) -> Iterator[tuple[BucketTable, Rows]]:
    """For each table of buckets its rows, with the columns in the table's order."""
    yield (
        TENANTS,
        [
            (row.flag_name, row.tenant_id, row.group, row.start, row.seconds, *row.tally, row.latency)
            for row in write.tenants
        ],
    )
    yield GROUPS, [(row.flag_name, row.group, row.start, row.seconds, *row.tally, row.latency) for row in write.groups]
    yield (
        VALUES,
        [
            (row.flag_name, row.group, row.metric, row.kind, row.start, row.seconds, row.total, row.samples)
            for row in write.values
        ],
    )
    yield (
        SHADOW,
        [
            (row.flag_name, row.tenant_id, row.execution_type, row.start, row.seconds, *row.tally)
            for row in write.shadow
        ],
    )
    yield FINDINGS, [row[:7] for row in write.findings]


def sample_rows(write: MetricWrite) -> Rows:
    """The samples of findings that have one."""
    return [
        (*row[:4], row.old, row.new, row.start) for row in write.findings if row.old is not None or row.new is not None
    ]
