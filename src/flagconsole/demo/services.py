"""The demo's services: how many instances each has, how busy they are, and what they ask for."""

from __future__ import annotations

from typing import Final

INSTANCES_PER_SERVICE: Final = 3
#: Of one instance.
OPERATIONS_PER_SECOND: Final = 25.0
#: What each service asks for, and how often compared with the rest. ``invoices.write`` is used everywhere, so killing it is
#: seen everywhere. Payment links are used most: a canary of a tenth of the tenants then says something within a minute.
SERVICES: Final[dict[str, dict[str, int]]] = {
    "billing-api": {
        "invoices.write": 1,
        "invoices.pdf_generation": 1,
        "invoices.auto_send": 1,
        "invoices.payment_links": 9,
    },
    "estimates-api": {
        "estimates.write": 1,
        "estimates.ai_pricing": 3,
        "estimates.convert_to_invoice": 1,
        "invoices.write": 1,
        "v0.templates": 1,
    },
    "scheduler": {
        "scheduling.write": 1,
        "scheduling.auto_assignment": 3,
        "scheduling.recurring_jobs": 1,
        "scheduling.route_optimization": 1,
        "invoices.write": 1,
    },
    "pos-gateway": {"pos.lite": 1, "pos.inventory_tracking": 1, "pos.loyalty_points": 1, "invoices.write": 1},
}
INSTANCES: Final = INSTANCES_PER_SERVICE * len(SERVICES)


def services_of(flag_name: str) -> tuple[str, ...]:
    """The services that ask for a flag."""
    return tuple(name for name, features in SERVICES.items() if flag_name in features)


def operations_per_second(flag_name: str) -> float:
    """How often all instances together use a feature."""
    busy = OPERATIONS_PER_SECOND * INSTANCES_PER_SERVICE
    return sum(busy * features.get(flag_name, 0) / sum(features.values()) for features in SERVICES.values())
