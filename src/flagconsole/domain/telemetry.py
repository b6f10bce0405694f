"""What services and helpdesks report: batches of what the SDK measured, and of what people said about a feature.

Everything here is bounded, since it comes from programs that may be wrong about how much they have to say.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, field_validator, model_validator

from flagconsole.domain.flag import Frozen
from flagconsole.domain.group import Group
from flagconsole.domain.metric import MetricKind, MetricName
from flagconsole.domain.names import FlagName, Label, TenantId, single_line
from flagconsole.domain.sketch import HIGHEST_BIN, LOWEST_BIN, MAX_BINS
from flagconsole.domain.written_time import WrittenMoment

#: The width of a bucket, seconds.
BUCKET_SECONDS: Final = 30
#: A bucket that ended longer ago than this (seconds) is not taken any more.
LATE_SECONDS: Final = 15 * 60
#: Nor is one that begins so far ahead of the server's clock (seconds).
EARLY_SECONDS: Final = 60
#: What people say comes later: CSAT answers and tickets are taken for a day (seconds).
LATE_FEEDBACK_SECONDS: Final = 24 * 3600
MAX_BUCKETS: Final = 1000
MAX_FEEDBACK: Final = 1000
MAX_CUSTOM: Final = 20
MAX_FINGERPRINTS: Final = 20
#: Errors that come together count as one incident: same tenant, same fingerprint, same window of so many seconds.
INCIDENT_SECONDS: Final = 300

_MOST = 10**9
_Count = Annotated[int, Field(ge=0, le=_MOST)]
#: Whole seconds since the epoch, to the year 2100.
_Second = Annotated[int, Field(ge=0, le=4_102_444_800)]
_Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]
BatchId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$", examples=["billing-1-000042"])]
Fingerprint = Annotated[
    str, Field(min_length=1, max_length=128, examples=["TaxTableMissing"]), AfterValidator(single_line)
]
_Bin = tuple[Annotated[int, Field(ge=LOWEST_BIN, le=HIGHEST_BIN)], Annotated[int, Field(ge=1, le=_MOST)]]


class CustomKind(StrEnum):
    """What a service's own number means: ``ratio`` a share, ``count`` a number of events, ``gauge`` a mean level."""

    RATIO = "ratio"
    COUNT = "count"
    GAUGE = "gauge"

    @property
    def metric_kind(self) -> MetricKind:
        """The kind that plans know."""
        return MetricKind(self.value)


class CustomSum(Frozen):
    """One custom metric in one bucket. ``total`` and ``count`` are, for a ratio, how many of how many; for a gauge the sum of
    the samples and their number; for a count the number, and how often it was reported."""

    kind: CustomKind
    total: _Finite
    count: Annotated[int, Field(ge=1, le=_MOST)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.kind is CustomKind.RATIO and not 0 <= self.total <= self.count:
            raise ValueError("a ratio's total must be between 0 and its count")
        if self.kind is CustomKind.COUNT and self.total < 0:
            raise ValueError("a count can't be negative")
        return self


class UsageBucket(Frozen):
    """What one instance did for one tenant under one flag, from ``start`` (seconds since the epoch) for the batch's
    ``bucket_seconds``. ``latency`` holds pairs of bin and count of a sketch, ``criticals`` a count for each fingerprint."""

    start: _Second
    flag_name: FlagName
    tenant_id: TenantId
    group: Group
    operations: _Count = 0
    successes: _Count = 0
    errors: _Count = 0
    criticals: Annotated[
        dict[Fingerprint, Annotated[int, Field(ge=1, le=_MOST)]], Field(max_length=MAX_FINGERPRINTS)
    ] = Field(default_factory=dict)
    conversions: _Count = 0
    latency_seconds: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)] = 0.0
    latency: Annotated[tuple[_Bin, ...], Field(max_length=MAX_BINS)] = ()
    custom: Annotated[dict[MetricName, CustomSum], Field(max_length=MAX_CUSTOM)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.successes + self.errors > self.operations:
            raise ValueError("successes and errors can't be more than operations")
        if self.timed > self.operations:
            raise ValueError("latency can't count more than operations")
        return self

    @property
    def timed(self) -> int:
        """How many operations have a latency."""
        return sum(times for _, times in self.latency)


class TelemetryBatch(Frozen):
    """``POST /api/telemetry``. The same ``batch_id`` counts once. ``dropped`` are buckets that the instance had to give up
    since its last batch."""

    batch_id: BatchId
    instance: Label
    service: Label
    bucket_seconds: Literal[1, 2, 3, 5, 6, 10, 15, 30] = BUCKET_SECONDS
    buckets: Annotated[tuple[UsageBucket, ...], Field(max_length=MAX_BUCKETS)]
    dropped: _Count = 0

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        for bucket in self.buckets:
            if bucket.start % self.bucket_seconds:
                raise ValueError(f"buckets must start at multiples of {self.bucket_seconds} s, {bucket.start} is none")
        return self


class FeedbackKind(StrEnum):
    """``csat``: how satisfied somebody is, 0 to 1. ``ticket``: a support ticket. ``conversion``: somebody did what the feature
    is for. ``custom``: a metric of one's own."""

    CSAT = "csat"
    TICKET = "ticket"
    CONVERSION = "conversion"
    CUSTOM = "custom"


#: The metric that each kind counts for, with what its numbers mean; a custom one says both itself.
FEEDBACK_METRICS: Final[dict[FeedbackKind, tuple[str, CustomKind]]] = {
    FeedbackKind.CSAT: ("csat", CustomKind.RATIO),
    FeedbackKind.TICKET: ("tickets", CustomKind.COUNT),
    FeedbackKind.CONVERSION: ("conversions", CustomKind.COUNT),
}


class Feedback(Frozen):
    """One thing that somebody said or did. Without ``flag_name`` it counts for every flag in shadow or canary, as a ticket
    does whose cause isn't known. Without ``occurred_at`` it happened now."""

    kind: FeedbackKind
    tenant_id: TenantId
    flag_name: FlagName | None = None
    value: _Finite = 1.0
    occurred_at: WrittenMoment | None = None
    metric: MetricName | None = None
    metric_kind: CustomKind | None = None

    @field_validator("occurred_at")
    @classmethod
    def _in_our_time(cls, value: AwareDatetime | None) -> AwareDatetime | None:
        if value is not None and not 1970 < value.year < 2100:
            raise ValueError("must be between the years 1971 and 2099")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind is FeedbackKind.CUSTOM) != (self.metric is not None and self.metric_kind is not None):
            raise ValueError("metric and metric_kind belong to kind custom, which needs both")
        if self.kind is not FeedbackKind.CUSTOM and (self.metric is not None or self.metric_kind is not None):
            raise ValueError("metric and metric_kind belong to kind custom")
        name, kind = self.measures
        if kind is CustomKind.RATIO and not 0 <= self.value <= 1:
            raise ValueError(f"{name} is a share: its value must be between 0 and 1")
        if kind is CustomKind.COUNT and (self.value < 1 or not math.floor(self.value) == self.value):
            raise ValueError(f"{name} is a count: its value must be a whole number, 1 or more")
        return self

    @property
    def measures(self) -> tuple[str, CustomKind]:
        """The metric it counts for."""
        if self.metric is not None and self.metric_kind is not None:
            return self.metric, self.metric_kind
        return FEEDBACK_METRICS[self.kind]


class FeedbackBatch(Frozen):
    """``POST /api/events``. The same ``batch_id`` counts once."""

    batch_id: BatchId
    events: Annotated[tuple[Feedback, ...], Field(min_length=1, max_length=MAX_FEEDBACK)]


class Taken(Frozen):
    """What became of a batch: how many of its buckets or events were ``taken``, ``late`` or ``early`` (by the server's
    clock), or about an ``unknown`` flag. A ``duplicate`` was taken before, and did nothing now."""

    batch_id: str
    duplicate: bool = False
    taken: int = 0
    late: int = 0
    early: int = 0
    unknown: int = 0
