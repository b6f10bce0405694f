"""One simulated service: a process with several SDK instances, each working for tenants in its own thread.

Run as ``python -m flagconsole.demo.service``. The first line of its input holds its settings as JSON (a key is among them,
and command lines can be seen by others); after that ``report FLAG`` answers with one JSON line, and the process ends with
its input.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any, Final

from flagconsole.demo.workload import Workload
from flagconsole.sdk import FlagClient

#: Start times kept for each feature and instance; far more than a kill takes to arrive.
_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What a service is told by the demo."""

    url: str
    api_key: str
    service: str
    instances: int
    features: tuple[str, ...]
    tenants: tuple[str, ...]
    operations_per_second: float
    cache_dir: str
    seed: int
    bucket_seconds: int = 5

    def to_json(self) -> str:
        """The settings as the first line of the process's input."""
        return json.dumps(asdict(self))


class Worker:
    """One instance at work: it picks a tenant and a feature, asks the flag, does the work in the new way if it may, otherwise
    in the old one, and records how it went."""

    def __init__(self, settings: ServiceSettings, number: int) -> None:
        self.instance_id = f"{settings.service}-{number}"
        self.operations: Counter[str] = Counter()
        self.started: dict[str, deque[float]] = {name: deque(maxlen=_KEPT) for name in settings.features}
        self._settings = settings
        self._workload = Workload(settings.seed, settings.tenants)
        self._chance = random.Random(f"{settings.seed}:{self.instance_id}")  # noqa: S311  # a simulation
        self._stop = threading.Event()
        self._client = FlagClient(
            settings.url,
            settings.api_key,
            instance=self.instance_id,
            service=settings.service,
            cache_dir=f"{settings.cache_dir}/{self.instance_id}",
            bucket_seconds=settings.bucket_seconds,
        )
        self._thread = threading.Thread(target=self._work, name=self.instance_id, daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish, and say goodbye to the server."""
        self._stop.set()
        self._thread.join(2.0)
        self._client.close()

    def _work(self) -> None:
        while not self._stop.wait(self._chance.expovariate(self._settings.operations_per_second)):
            feature = self._chance.choice(self._settings.features)
            tenant = self._workload.next_tenant(self._chance)
            # Taken before asking: an operation that began before a kill arrived may still run.
            began = time.time()
            evaluation = self._client.evaluate(feature, tenant)
            if evaluation.enabled:
                self.started[feature].append(began)
                self.operations[feature] += 1
            outcome = self._workload.outcome(self._chance, tenant)
            self._client.record(feature, tenant, **outcome._asdict(), evaluation=evaluation)


def report(workers: list[Worker], feature: str) -> dict[str, Any]:
    """How many operations ran in all, and when those of one feature began, by instance."""
    return {
        "operations": sum(sum(worker.operations.values()) for worker in workers),
        "started": {worker.instance_id: list(worker.started.get(feature, ())) for worker in workers},
    }


def main() -> None:
    """Run until standard input ends."""
    raw = json.loads(sys.stdin.readline())
    settings = ServiceSettings(**{**raw, "features": tuple(raw["features"]), "tenants": tuple(raw["tenants"])})
    workers = [Worker(settings, number) for number in range(1, settings.instances + 1)]
    for worker in workers:
        worker.start()
    try:
        for line in sys.stdin:
            _, _, feature = line.strip().partition(" ")
            sys.stdout.write(json.dumps(report(workers, feature)) + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    finally:
        for worker in workers:
            worker.stop()


if __name__ == "__main__":
    main()
