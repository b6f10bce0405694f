"""What every store keeps of shadow executions, beside its measurements (``metric_store``). Times are whole seconds since the
epoch."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from flagconsole.domain.execution_type import ExecutionType, Finding
from flagconsole.domain.shadow_tally import ShadowTally


class ShadowRow(NamedTuple):
    """One tenant's executions of one type under one flag in one bucket. An empty tenant id stands for those beyond the bound."""

    flag_name: str
    tenant_id: str
    execution_type: ExecutionType
    start: int
    seconds: int
    tally: ShadowTally


class FindingRow(NamedTuple):
    """What executions showed in one bucket. Of the samples the newest of each kind are kept."""

    flag_name: str
    finding: Finding
    name: str
    detail: str
    start: int
    seconds: int
    times: int
    old: str | None = None
    new: str | None = None


class ShadowUsage(NamedTuple):
    """One tenant's executions of one type over a span."""

    tenant_id: str
    execution_type: ExecutionType
    tally: ShadowTally


class ShadowFound(NamedTuple):
    """A finding over a span, with the newest samples."""

    finding: Finding
    name: str
    detail: str
    times: int
    old: str | None
    new: str | None


class ShadowStore(Protocol):
    """The part of a ``MetricStore`` that concerns shadow executions. Spans are ``since <= start of the bucket < until``."""

    async def shadow_usage(self, flag_name: str, since: int, until: int) -> list[ShadowUsage]:
        """Executions by tenant and type."""

    async def shadow_findings(self, flag_name: str, since: int, until: int) -> list[ShadowFound]:
        """What they showed, the most frequent first."""

    async def shadow_newest(self, flag_name: str) -> int | None:
        """The end of the newest bucket that was reported; None where there was none."""
