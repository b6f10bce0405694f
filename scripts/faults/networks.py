"""What can happen between clients and servers."""

from __future__ import annotations

import random
from contextlib import ExitStack

from faults.findings import findings
from faults.proxy import FAULTS, FaultyProxy
from faults.traffic import Traffic
from faults.world import world


def network(store: str, trials: int, seed: int) -> dict[str, object]:
    """Clients reach two servers through a proxy each, which does one thing after the other to them; half of the time only to one."""
    dice = random.Random(seed)
    with world(store) as here, ExitStack() as stack:
        proxies = []
        for _ in range(2):
            port = int(here.start().url.rpartition(":")[2])
            proxies.append(stack.enter_context(FaultyProxy(port, dice.randrange(1000))))
        traffic = Traffic(lambda: [proxy.url for proxy in proxies], here.key, seed)
        traffic.start()
        for trial in range(trials):
            fault = FAULTS[1:][trial % (len(FAULTS) - 1)]
            proxies[0].fault = fault
            proxies[1].fault = dice.choice((fault, "none"))
            met = proxies[0].met
            while proxies[0].met < met + 6 and not traffic.stopping.wait(0.05):
                pass
            for proxy in proxies:
                proxy.fault = "none"
            traffic.wait_for(5)
        traffic.stop()
        traffic.settle()
        return {**findings(here.store_url, traffic), "met": sum(proxy.met for proxy in proxies)}
