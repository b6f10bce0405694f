"""Metrics that a plan can set limits on: the standard ones, and any that a service names itself."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field


class MetricKind(StrEnum):
    """What a metric's number means, and so its unit and which values make sense.

    ``ratio``: a share of operations, tenants or answers, 0 to 1. ``count``: distinct events since the phase began.
    ``gauge``: a mean level in the service's own unit. ``latency``: milliseconds. ``change``: canary relative to control,
    minus 1, so 0.15 is 15 % more.
    """

    RATIO = "ratio"
    COUNT = "count"
    GAUGE = "gauge"
    LATENCY = "latency"
    CHANGE = "change"


SUCCESS_RATE: Final = "success_rate"
ERROR_RATE: Final = "error_rate"
CRITICAL_ERRORS: Final = "critical_errors"
LATENCY_P95: Final = "latency_p95"
LATENCY_P99: Final = "latency_p99"
P95_REGRESSION: Final = "p95_regression"
CSAT: Final = "csat"
TICKET_INCREASE: Final = "ticket_increase"
CONVERSION_RATE: Final = "conversion_rate"

#: The metrics that every flag has, with their kinds.
STANDARD_METRICS: Final[dict[str, MetricKind]] = {
    SUCCESS_RATE: MetricKind.RATIO,
    ERROR_RATE: MetricKind.RATIO,
    CRITICAL_ERRORS: MetricKind.COUNT,
    LATENCY_P95: MetricKind.LATENCY,
    LATENCY_P99: MetricKind.LATENCY,
    P95_REGRESSION: MetricKind.CHANGE,
    CSAT: MetricKind.RATIO,
    TICKET_INCREASE: MetricKind.CHANGE,
    CONVERSION_RATE: MetricKind.RATIO,
}

_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def is_metric_name(value: str) -> bool:
    """Whether ``value`` can name a metric: lower-case letters, digits and underscores, at most 64 characters."""
    return _METRIC_NAME.fullmatch(value) is not None


def _metric_name(value: str) -> str:
    if not is_metric_name(value):
        raise ValueError("must be lower-case letters, digits and underscores, beginning with a letter, like error_rate")
    return value


MetricName = Annotated[str, Field(min_length=1, max_length=64, examples=[ERROR_RATE]), AfterValidator(_metric_name)]
