"""Metrics that a plan has measured elsewhere: the PromQL that gives one number for each group."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import Field, field_validator

from flagconsole.domain.flag import Frozen
from flagconsole.domain.metric import CRITICAL_ERRORS, STANDARD_METRICS, MetricKind

#: What is filled into a query. ``{window}`` is the time since the phase began, at most an hour, as ``3600s``.
FLAG: Final = "{flag}"
GROUP: Final = "{group}"
WINDOW: Final = "{window}"
#: Why a rollback limit on such a metric can't be statistical.
ONE_NUMBER: Final = "comes as one number for each group, which says nothing of single tenants: the rollback limit needs evidence: threshold"
#: PromQL's own braces hold matchers such as ``{job="x"}``, never a bare word.
_BARE_WORD: Final = re.compile(r"\{\s*[A-Za-z_][A-Za-z0-9_]*\s*\}")

Expression = Annotated[str, Field(min_length=1, max_length=4000, examples=['errors{flag="{flag}",group="{group}"}'])]


class PlanMetric(Frozen):
    """Where a metric comes from: ``query`` is PromQL with ``{flag}`` and ``{group}`` in it, and perhaps ``{window}``; it yields
    one number. ``freshness`` is PromQL for the time of the newest sample in seconds since the epoch, such as
    ``max(timestamp(requests_total{flag="{flag}"}))``: Prometheus goes on answering for a service that fell silent.
    ``kind`` is known for the standard metrics and has to be said for a custom one. Shares are fractions, latencies
    milliseconds; a ``change`` is asked for as the level of each group."""

    query: Expression
    freshness: Expression
    kind: MetricKind | None = None

    @field_validator("query", "freshness")
    @classmethod
    def _known_placeholders(cls, text: str) -> str:
        for found in _BARE_WORD.findall(text):
            if found not in {FLAG, GROUP, WINDOW}:
                raise ValueError(f"there is no placeholder {found}; there are {FLAG}, {GROUP} and {WINDOW}")
        if FLAG not in text:
            raise ValueError(f"must hold {FLAG}, or it would measure other flags as well")
        return text

    @field_validator("query")
    @classmethod
    def _by_group(cls, text: str) -> str:
        if GROUP not in text:
            raise ValueError(f"must hold {GROUP}, or the canary couldn't be told from the control")
        return text


def refuse_metric(name: str, metric: PlanMetric) -> None:
    """Raise ``ValueError`` where ``name`` can't be measured elsewhere, or not as this kind."""
    standard = STANDARD_METRICS.get(name)
    if name == CRITICAL_ERRORS:
        raise ValueError(f"metrics: {name} are counted as incidents of single tenants, which no query can")
    if standard is None and metric.kind is None:
        raise ValueError(f"metrics: {name} is a custom metric: say its kind, one of {', '.join(MetricKind)}")
    if standard is not None and metric.kind not in {None, standard}:
        raise ValueError(f"metrics: {name} is a {standard}, not a {metric.kind}")
