"""What the judge is shown at one look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.errors import InvalidInput

Floats = NDArray[np.float64]
#: The shares of operations whose latencies make the shape of a group's: enough to turn counts of slow ones into latencies.
SHAPE_SHARES = (0.05, 0.25, 0.50, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Counts:
    """Counts per tenant in one window, in the order of the assignment's tenants.

    ``slow`` are operations above the reference latency: the control's p95 before the rollout. ``criticals`` are critical
    errors. ``slower`` are operations above the control's median before the rollout; None where it isn't measured (it
    makes small shifts of latency visible sooner).
    """

    operations: Floats
    errors: Floats
    slow: Floats
    criticals: Floats
    slower: Floats | None = None

    def checked(self, size: int, window: str) -> Counts:
        """These counts, or ``InvalidInput`` when they can't be counts of ``size`` tenants."""
        columns = self.columns()
        for name, values in columns.items():
            if values.shape != (size,):
                raise InvalidInput(field=f"{window}.{name}", problem=f"needs {size} numbers", value=values.shape)
        everything = np.concatenate(list(columns.values()))
        # A NaN makes both comparisons false.
        if not (everything.min() >= 0 and everything.sum() < np.inf):
            wrong = next(name for name, values in columns.items() if not (values.min() >= 0 and values.sum() < np.inf))
            raise InvalidInput(
                field=f"{window}.{wrong}", problem="must be finite and not negative", value="NaN, infinite or < 0"
            )
        return self

    def columns(self) -> dict[str, Floats]:
        """The columns that were measured, by name."""
        columns = {
            "operations": self.operations,
            "errors": self.errors,
            "slow": self.slow,
            "criticals": self.criticals,
        }
        return columns if self.slower is None else columns | {"slower": self.slower}


@dataclass(frozen=True)
class Latency:
    """Latency quantiles of a group in milliseconds; None where there is none. ``shape`` are those of ``SHAPE_SHARES``; empty
    where only the two are known, and then latencies are taken for log-normal."""

    p95: float | None = None
    p99: float | None = None
    shape: tuple[float, ...] = ()


@dataclass(frozen=True)
class GroupValue:
    """One metric in one group: its value, how many observations made it, and how certain that is.

    The value is a share for a ratio, a mean for a gauge or change, milliseconds for a latency, a number of events for a
    count. ``count`` are answers, operations or events. ``error`` is the value's standard error with the tenant as the unit, from
    ``tenants`` of them; without it ``variance``, that of a single observation, takes all observations as independent;
    None where neither is known. ``exposure`` are the active tenants that events are counted in, ``squared`` is the sum of
    the tenants' squared numbers of events.
    """

    value: float
    count: int
    variance: float | None = None
    error: float | None = None
    tenants: int | None = None
    exposure: float | None = None
    squared: float | None = None


@dataclass(frozen=True)
class MetricValue:
    """A metric that isn't counted per tenant: CSAT, tickets, conversions, everything a service names itself, and standard
    metrics that a plan has measured elsewhere, which then take the place of the counts.

    ``change`` metrics compare ``canary`` with ``control``; for the others the control is only shown. ``source`` names who
    measured it where that wasn't the store: then its ``count`` says nothing. ``problem`` is why it isn't known now. ``note``
    says how certain it is, where that needs words.
    """

    canary: GroupValue | None
    control: GroupValue | None = None
    source: str = ""
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Observation:
    """One look: ``seconds`` since the phase began; ``fresh_seconds`` of them had fresh data (all, when None).

    ``whole_phase``, ``last_hour`` and ``last_half_hour`` are the three windows; in phases shorter than four hours the last
    two are as long as ``JudgeSettings.hour_seconds`` and ``half_hour_seconds`` say. ``incidents`` counts the distinct critical
    incidents (tenant, fingerprint, five minutes) in the canary so far. ``data_age_seconds`` is how old the newest data is.
    Latencies are those of the whole phase; ``recent_*`` those of the last hour.
    """

    seconds: float
    whole_phase: Counts
    last_hour: Counts
    last_half_hour: Counts
    canary_latency: Latency = Latency()
    control_latency: Latency = Latency()
    recent_canary_latency: Latency | None = None
    recent_control_latency: Latency | None = None
    incidents: int = 0
    metrics: Mapping[str, MetricValue] = field(default_factory=dict)
    data_age_seconds: float = 0.0
    fresh_seconds: float | None = None

    def checked(self, size: int) -> Observation:
        """This observation, or ``InvalidInput`` naming the field that can't be right."""
        if not np.isfinite(self.seconds) or self.seconds < 0:
            raise InvalidInput(field="seconds", problem="must be finite and not negative", value=self.seconds)
        for window in ("whole_phase", "last_hour", "last_half_hour"):
            getattr(self, window).checked(size, window)
        return self

    def latencies_differ(self, least_ms: float) -> bool:
        """Whether the canary's p95 is ``least_ms`` or more above the control's, over the phase or lately. True where either
        isn't known: what nobody has measured isn't small."""
        pairs = [(self.canary_latency, self.control_latency)]
        if self.recent_canary_latency is not None:
            pairs.append((self.recent_canary_latency, self.recent_control_latency or Latency()))
        return any(own.p95 is None or other.p95 is None or own.p95 - other.p95 >= least_ms for own, other in pairs)

    def latencies_reach(self, least_ms: float) -> bool:
        """Whether any group's p95 is ``least_ms`` or more, or isn't known: below that no two of them can differ by so much."""
        known = (self.canary_latency.p95, self.control_latency.p95)
        return any(p95 is None or p95 >= least_ms for p95 in known)

    @property
    def judged_seconds(self) -> float:
        """Seconds of the phase that count: those with fresh data."""
        return self.seconds if self.fresh_seconds is None else min(self.fresh_seconds, self.seconds)
