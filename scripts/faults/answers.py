"""Answers that are lost after the commit."""

from __future__ import annotations

from collections import Counter

import httpx

from faults.findings import findings
from faults.proxy import FaultyProxy
from faults.traffic import Traffic
from faults.world import FLAGS, world


def lost_answers(store: str, trials: int, seed: int) -> dict[str, object]:
    """Each change is sent through a proxy that keeps its answer back, then asked again with the same key, twice, at another server: it
    is the answer of the one change."""
    with world(store) as here:
        first, second = here.start(), here.start()
        traffic = Traffic(here.urls, here.key, seed, reading=False)
        replayed: Counter[bool] = Counter()
        with FaultyProxy(int(first.url.rpartition(":")[2]), seed) as proxy, httpx.Client(timeout=20) as client:
            for trial in range(trials):
                reason, flag = f"trial-{trial}", FLAGS[trial % len(FLAGS)]
                headers = {"Authorization": f"Bearer {here.key}", "Idempotency-Key": reason}
                body = {"current_state": "canary", "canary_percentage": trial % 99 + 1, "change_reason": reason}
                proxy.fault = "reset"
                try:
                    httpx.put(f"{proxy.url}/api/flags/{flag}", json=body, headers=headers, timeout=20)
                    raise AssertionError("the answer came, though it should have been lost")
                except httpx.TransportError:
                    pass
                answers = [
                    client.put(f"{url}/api/flags/{flag}", json=body, headers=headers) for url in (second.url, first.url)
                ]
                said = [answer.json() for answer in answers]
                same = said[0]["change"] == said[1]["change"]
                replayed[all(answer.headers.get("Idempotency-Replayed") == "true" for answer in answers) and same] += 1
                traffic.acknowledged[reason] = said[0]["change"]["change_id"]
        return {**findings(here.store_url, traffic), "replayed": replayed[True], "kept": replayed[True] == trials}
