"""Reading shadow executions from the embedded store."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from typing import Any, Final

from flagconsole.domain.execution_type import ExecutionType, Finding
from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.store.shadow_store import ShadowFound, ShadowUsage

_SUMS: Final = ", ".join(f"SUM({name})" for name in ShadowTally._fields)
_SPAN: Final = "flag_name = ?1 AND bucket_start >= ?2 AND bucket_start < ?3"


class SqliteShadow(ABC):
    """Mixed into ``SqliteMetrics``."""

    async def shadow_usage(self, flag_name: str, since: int, until: int) -> list[ShadowUsage]:
        sql = (
            f"SELECT tenant_id, execution_type, {_SUMS} FROM shadow_executions WHERE {_SPAN} "
            "GROUP BY tenant_id, execution_type ORDER BY tenant_id, execution_type"
        )
        found = await self._read(sql, flag_name, since, until)
        return [ShadowUsage(row[0], ExecutionType(row[1]), ShadowTally(*row[2:])) for row in found]

    async def shadow_findings(self, flag_name: str, since: int, until: int) -> list[ShadowFound]:
        sql = (
            "SELECT found.finding, found.name, found.detail, found.times, sample.old, sample.new FROM ("
            f"SELECT finding, name, detail, SUM(times) AS times FROM shadow_findings WHERE {_SPAN} "
            "GROUP BY finding, name, detail) AS found LEFT JOIN shadow_samples AS sample ON sample.flag_name = ?1 "
            "AND sample.finding = found.finding AND sample.name = found.name AND sample.detail = found.detail "
            "ORDER BY found.times DESC, found.finding, found.name, found.detail"
        )
        found = await self._read(sql, flag_name, since, until)
        return [ShadowFound(Finding(row[0]), *row[1:]) for row in found]

    async def shadow_newest(self, flag_name: str) -> int | None:
        found = await self._read("SELECT at FROM shadow_newest WHERE flag_name = ?", flag_name)
        return found[0][0] if found else None

    @abstractmethod
    async def _read(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """The rows of a statement."""
