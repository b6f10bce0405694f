"""Clients that abuse a server while flags are killed."""

from __future__ import annotations

import httpx
from bench.abuse import kills_under_abuse

from faults.findings import findings
from faults.traffic import Traffic
from faults.world import world


def abuse(store: str, trials: int, seed: int) -> dict[str, object]:
    """Kill flags while others drip headers, never read their streams and send 200 MiB. A kill that takes a second or more counts as
    lost."""
    with world(store) as here:
        server = here.start()
        took = kills_under_abuse(server.url, here.key, trials)
        headers = {"Authorization": f"Bearer {here.key}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
            killed = len(client.get("/api/status").json()["killed"])
        return {
            **findings(here.store_url, Traffic(here.urls, here.key, seed)),
            "acknowledged": len(took),
            "lost": sum(seconds >= 1 for seconds in took) + len(took) - killed,
            "median_ms": round(1000 * sorted(took)[len(took) // 2], 1),
            "worst_ms": round(1000 * max(took), 1),
        }
