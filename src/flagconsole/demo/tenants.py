"""The demo's tenants: 500 small businesses, with profiles as a sales and support system would know them."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any, Final

from flagconsole.domain.tenant import Blackout, TenantProfile

TENANTS: Final = 500
_TRADES: Final = (
    "Plumbing",
    "Electric",
    "Bistro",
    "Roofing",
    "Diner",
    "Heating",
    "Cafe",
    "Landscaping",
    "Grill",
    "Locksmiths",
)
_RESTAURANTS: Final = frozenset({"Bistro", "Diner", "Cafe", "Grill"})
_PLACES: Final = ("Harbor", "Cedar", "Summit", "Mission", "Lakeside", "Union", "Prairie", "Canal", "Juniper", "Granite")
#: Region, how many of a hundred tenants are there, and their time zones.
_REGIONS: Final[tuple[tuple[str, int, tuple[str, ...]], ...]] = (
    ("us_west", 32, ("America/Los_Angeles", "America/Denver", "America/Phoenix")),
    ("us_east", 33, ("America/New_York", "America/Chicago")),
    ("eu", 19, ("Europe/Berlin", "Europe/Dublin", "Europe/Madrid")),
    ("apac", 11, ("Australia/Sydney", "Asia/Singapore", "Pacific/Auckland")),
    ("latam", 5, ("America/Sao_Paulo", "America/Bogota")),
)
#: The most users of each size, and how many of a hundred tenants have it.
_SIZES: Final = (((1, 5), 46), ((6, 25), 37), ((26, 140), 17))
_CUSTOM: Final = ("QuickBooks bridge", "own price book", "SAP export", "franchise reporting")


def tenant_records(seed: int, today: date = date(2026, 1, 1)) -> tuple[TenantProfile, ...]:
    """The demo's tenants; the same for the same seed and day."""
    names, facts = random.Random(seed), random.Random(f"profiles {seed}")  # noqa: S311  # a simulation
    tenants = []
    for number in range(1, TENANTS + 1):
        place, trade = names.choice(_PLACES), names.choice(_TRADES)
        profile = _profile(facts, trade, today)
        tenants.append(TenantProfile(tenant_id=f"tenant-{number:04d}", name=f"{place} {trade}", **profile))
    return tuple(tenants)


def _profile(chance: random.Random, trade: str, today: date) -> dict[str, Any]:
    region, _, zones = chance.choices(_REGIONS, [share for _, share, _ in _REGIONS])[0]
    low, high = chance.choices([span for span, _ in _SIZES], [share for _, share in _SIZES])[0]
    users = chance.randint(low, high)
    # Larger tenants have more of their own, and more to lose.
    custom = tuple(chance.sample(_CUSTOM, chance.randint(1, 2))) if chance.random() < 0.02 + users / 700 else ()
    risk = min(1.0, max(0.0, chance.betavariate(1.4, 4.6) + (0.35 if custom else 0.0) + users / 1000))
    escalated = chance.random() < 0.08
    days_ago = chance.randint(1, 120)
    engagement = chance.betavariate(5.0, 1.4)
    beta = chance.random() < (0.06 if engagement > 0.8 else 0.01)
    blackout = chance.random() < 0.06
    begins = today + timedelta(days=chance.randint(-3, 20))
    return {
        "users": users,
        "industry": "restaurants" if trade in _RESTAURANTS else "field_services",
        "region": region,
        "timezone": chance.choice(zones),
        "risk_score": round(risk, 2),
        "engagement_score": round(engagement, 2),
        "beta_participant": beta,
        "transaction_volume": float(round(users * chance.lognormvariate(4.6, 0.6))),
        "tickets_90d": chance.randint(0, 2 + users // 12),
        "last_escalation_on": today - timedelta(days=days_ago) if escalated else None,
        "open_escalation": escalated and days_ago < 12,
        "custom_configuration": custom,
        "blackouts": (_blackout(chance, begins),) if blackout else (),
    }


def _blackout(chance: random.Random, begins: date) -> Blackout:
    why = chance.choice(("tax season", "holidays", "stocktaking"))
    return Blackout(starts_on=begins, ends_on=begins + timedelta(days=chance.randint(2, 14)), why=why)
