"""Sends what operations came to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from flagconsole.sdk import batch_sender
from flagconsole.sdk.batch_sender import BatchSender, in_parts
from flagconsole.sdk.usage import Table


class UsageSender(BatchSender[Table]):
    """Sends ``Usage``."""

    path: ClassVar[str] = "/api/telemetry"
    subject: ClassVar[str] = "usage"

    def parts(self, table: Table) -> Iterator[tuple[dict[str, Any], int]]:
        rows = (cell.written(table.start, *key) for key, cell in table.cells.items())
        for some in in_parts(rows, batch_sender.BATCH):
            yield {"buckets": some}, len(some)
