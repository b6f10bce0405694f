"""How operations of the demo's services go: seeded, with tenants that differ in how busy, slow and error-prone they are."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

#: The typical operation: its error rate, and its latency in seconds.
ERROR_RATE: Final = 0.003
MEDIAN_SECONDS: Final = 0.24
CONVERSION_RATE: Final = 0.06
#: What people say of it. A minute of the demo stands for an hour or more, so they say it often.
CSAT_RATE: Final = 0.04
TICKET_RATE: Final = 0.025
#: Busy tenants write more tickets, but by far not in proportion to what they do.
_TICKETS_BY_TRAFFIC: Final = 0.3
_SATISFIED: Final = 0.97
_SATISFIED_AFTER_ERROR: Final = 0.35
#: Standard deviations of logarithms: between tenants, and of one tenant's latency.
_ERROR_SPREAD: Final = 0.8
_LATENCY_SPREAD: Final = 0.30
_TRAFFIC_SPREAD: Final = 1.2
_LATENCY_NOISE: Final = 0.55
_MEAN_TRAFFIC: Final = math.exp(_TRAFFIC_SPREAD**2 / 2)


class Outcome(NamedTuple):
    """How one operation went. ``seconds`` is how long it would have taken; nobody waits for it. ``ticket_chance``: that
    somebody writes to support about it, and ``ticket`` whether somebody did. ``csat``: how satisfied somebody who was asked
    is, 0 to 1."""

    ok: bool
    seconds: float
    critical: str | None
    conversion: bool
    ticket_chance: float = 0.0
    ticket: bool = False
    csat: float | None = None

    @property
    def recorded(self) -> dict[str, Any]:
        """What the service's SDK is told of it; what people say comes in another way."""
        return {
            "ok": self.ok,
            "seconds": self.seconds,
            "critical": self.critical,
            "conversion": self.conversion,
        }


class _Tenant(NamedTuple):
    error_rate: float
    median_seconds: float
    traffic: float
    ticket_chance: float


class Workload:
    """The operations of ``tenants``: who comes next, and how it goes. The same for the same seed."""

    def __init__(self, seed: int, tenants: Sequence[str]) -> None:
        self._tenants = list(tenants)
        self._traits = {tenant: _traits(seed, tenant) for tenant in self._tenants}
        weights = (self._traits[tenant].traffic for tenant in self._tenants)
        self._cumulative = list(accumulate(weights))

    @property
    def error_rate(self) -> float:
        """The share of all operations that err, busy tenants counting more."""
        traits = self._traits.values()
        return sum(one.traffic * one.error_rate for one in traits) / sum(one.traffic for one in traits)

    def next_tenant(self, chance: random.Random) -> str:
        """A tenant, the busy ones more often."""
        return chance.choices(self._tenants, cum_weights=self._cumulative)[0]

    def outcome(self, chance: random.Random, tenant: str) -> Outcome:
        """How an operation of ``tenant`` goes. Critical errors don't happen by themselves within a demo's minutes."""
        traits = self._traits[tenant]
        ok = chance.random() >= traits.error_rate
        seconds = traits.median_seconds * math.exp(chance.gauss(0.0, _LATENCY_NOISE))
        return Outcome(ok, seconds, None, ok and chance.random() < CONVERSION_RATE, traits.ticket_chance)


def asked(chance: random.Random, outcome: Outcome) -> Outcome:
    """The operation with what its user says of it, unasked or asked."""
    ticket, csat = chance.random() < outcome.ticket_chance, None
    if chance.random() < CSAT_RATE:
        satisfied = chance.random() < (_SATISFIED if outcome.ok else _SATISFIED_AFTER_ERROR)
        csat = 1.0 if satisfied else 0.25
    return outcome._replace(ticket=ticket, csat=csat)


def values_of(feature: str, enabled: bool, chance: random.Random) -> dict[str, bool | float] | None:
    """The metrics of its own that a feature has; ``enabled`` or not decides whether the model or the price list speaks."""
    if feature != "estimates.ai_pricing":
        return None
    accuracy, accepted = (0.91, 0.80) if enabled else (0.86, 0.74)
    return {
        "suggestion_accuracy": chance.random() < accuracy,
        "user_acceptance": chance.random() < accepted,
        "pricing_variance": abs(chance.gauss(0.0, 0.11)),
        "adoption": chance.random() < 0.55,
        "revenue_per_estimate": chance.lognormvariate(6.0, 0.4),
    }


def _traits(seed: int, tenant: str) -> _Tenant:
    """What a tenant is like, for every service and instance alike."""
    chance = random.Random(f"{seed}:{tenant}")  # noqa: S311  # a simulation
    error_rate = min(0.05, ERROR_RATE * math.exp(chance.gauss(0.0, _ERROR_SPREAD)))
    median_seconds = MEDIAN_SECONDS * math.exp(chance.gauss(0.0, _LATENCY_SPREAD))
    traffic = math.exp(chance.gauss(0.0, _TRAFFIC_SPREAD))
    return _Tenant(
        error_rate=error_rate,
        median_seconds=median_seconds,
        traffic=traffic,
        ticket_chance=TICKET_RATE * (traffic / _MEAN_TRAFFIC) ** (_TICKETS_BY_TRAFFIC - 1),
    )
