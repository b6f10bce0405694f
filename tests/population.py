"""Tenants for tests: a believable population from a seed."""

from __future__ import annotations

import random

from flagconsole.domain.tenant import Size, TenantProfile

ZONES = {
    "us_west": ("America/Los_Angeles",),
    "us_east": ("America/New_York",),
    "eu": ("Europe/Berlin", "Europe/Lisbon"),
    "apac": ("Asia/Tokyo", "Australia/Sydney"),
}


def population(count: int, seed: int = 1) -> list[TenantProfile]:
    """``count`` tenants of whom about a fifth are eligible for a first canary, in every size, region and industry."""
    chance = random.Random(seed)
    tenants = []
    for number in range(count):
        region = chance.choices(list(ZONES), [30, 30, 20, 20])[0]
        tenants.append(
            TenantProfile(
                tenant_id=f"t{number:05}",
                size=chance.choices(list(Size), [45, 35, 20])[0],
                industry=chance.choices(["field_services", "restaurants"], [60, 40])[0],
                region=region,
                risk_score=chance.betavariate(2, 4),
                engagement_score=chance.betavariate(4, 2),
                beta_participant=chance.random() < 0.1,
                timezone=chance.choice(ZONES[region]),
                custom_configuration=("sap bridge",) if chance.random() < 0.05 else (),
                open_escalation=chance.random() < 0.03,
            )
        )
    return tenants
