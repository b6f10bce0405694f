"""Sends what shadow executions came to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from flagconsole.sdk import batch_sender
from flagconsole.sdk.batch_sender import BatchSender, in_parts
from flagconsole.sdk.shadow_log import ShadowTable


class ShadowSender(BatchSender[ShadowTable]):
    """Sends a ``ShadowLog``."""

    path: ClassVar[str] = "/api/shadow-executions"
    subject: ClassVar[str] = "shadow executions"

    def parts(self, table: ShadowTable) -> Iterator[tuple[dict[str, Any], int]]:
        rows = (cell.written(table.start, *key) for key, cell in table.cells.items())
        for some in in_parts(rows, batch_sender.BATCH):
            yield {"buckets": some}, len(some)
        for some in in_parts(table.written_findings(), batch_sender.BATCH):
            yield {"findings": some}, 0
