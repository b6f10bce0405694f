"""How urgent a violated criterion is. The urgency picks the playbook of the rollback."""

from __future__ import annotations

from enum import StrEnum


class Urgency(StrEnum):
    """``critical`` asks for the ``kill_switch`` playbook, ``high`` for ``immediate``, ``medium`` for ``gradual``."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"


URGENCY_RANK: dict[Urgency, int] = {Urgency.MEDIUM: 1, Urgency.HIGH: 2, Urgency.CRITICAL: 3}

_BY_METRIC = {
    "critical_errors": Urgency.CRITICAL,
    "error_rate": Urgency.HIGH,
    "success_rate": Urgency.HIGH,
}


def urgency_of(metric: str) -> Urgency:
    """The urgency of a violated limit on ``metric``: latency, CSAT, tickets and all custom metrics are ``medium``."""
    return _BY_METRIC.get(metric, Urgency.MEDIUM)
