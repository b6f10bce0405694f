"""One simulated service: a process with several SDK instances, each working for tenants in its own thread.

Run as ``python -m flagconsole.demo.service``. The first line of its input holds its settings as JSON (a key is among them,
and command lines can be seen by others). After that ``report FLAG`` and ``fault JSON`` are answered with one JSON line each,
and the process ends with its input.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from flagconsole.demo.fault import Fault, FaultKind
from flagconsole.demo.helpdesk import Helpdesk, feedback_of
from flagconsole.demo.new_way import NewWay, some_order
from flagconsole.demo.scenario import BUCKET_SECONDS
from flagconsole.demo.workload import Outcome, Workload, asked, values_of
from flagconsole.sdk import FlagClient

#: Start times kept for each feature and instance; far more than a kill takes to arrive.
_KEPT: Final = 20_000
_WELL: Final = Outcome(True, 0.0, None, False)


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What a service is told by the demo. ``weights`` says how often each feature is used."""

    url: str
    api_key: str = field(repr=False)
    service: str
    instances: int
    features: tuple[str, ...]
    weights: tuple[int, ...]
    tenants: tuple[str, ...]
    operations_per_second: float
    cache_dir: str
    seed: int
    bucket_seconds: int = BUCKET_SECONDS

    def to_json(self) -> str:
        """The settings as the first line of the process's input."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What ``to_json`` wrote."""
        fields: dict[str, Any] = json.loads(text)
        for name in ("features", "weights", "tenants"):
            fields[name] = tuple(fields[name])
        return cls(**fields)


class Worker:
    """One instance at work: it picks a tenant and a feature, asks the flag, does the work in the new way if it may, otherwise
    in the old one with the new one beside it in shadow, and lets the SDK count how it went."""

    def __init__(self, settings: ServiceSettings, number: int, helpdesk: Helpdesk) -> None:
        self.instance_id = f"{settings.service}-{number}"
        self.operations: Counter[str] = Counter()
        self.started: dict[str, deque[float]] = {name: deque(maxlen=_KEPT) for name in settings.features}
        #: What goes wrong, once the demo says so, and how many operations met it.
        self.fault: Fault | None = None
        self.struck = 0
        self._settings = settings
        self._helpdesk = helpdesk
        self._workload = Workload(settings.seed, settings.tenants)
        self._chance = random.Random(f"{settings.seed}:{self.instance_id}")  # noqa: S311  # a simulation
        # One of its own, so that shadow work changes nothing of what happens otherwise.
        self._shadow_chance = random.Random(f"shadow {settings.seed}:{self.instance_id}")  # noqa: S311  # a simulation
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
        features, weights = self._settings.features, self._settings.weights
        new_way = NewWay(self._client, features)
        while not self._stop.wait(self._chance.expovariate(self._settings.operations_per_second)):
            feature = self._chance.choices(features, weights)[0]
            self._operate(feature, self._workload.next_tenant(self._chance), new_way)
        new_way.close()

    def _operate(self, feature: str, tenant: str, new_way: NewWay) -> None:
        # Taken before asking: an operation that began before a kill arrived may still run.
        began = time.time()
        with self._client.operation(feature, tenant) as operation:
            if operation.enabled:
                self.started[feature].append(began)
                self.operations[feature] += 1
            outcome = self._workload.outcome(self._chance, tenant)
            fault = self.fault
            if fault is not None and fault.strikes(feature, operation.enabled, began):
                self.struck += 1
                if fault.kind is FaultKind.SILENCE:
                    operation.discard()
                    return
                outcome = fault.worsened(self._chance, outcome)
            outcome = asked(self._chance, outcome)
            operation.measure(**(values_of(feature, operation.enabled, self._chance) or {}))
            if operation.shadow:
                order = some_order(self._shadow_chance, tenant)
                new_way.beside_the_old(feature, order, fails=self._strikes_shadow(feature, began))
            if not outcome.ok:
                operation.fail(critical=outcome.critical)
            operation.conversion = outcome.conversion
            # How long it would have taken; nobody waits for it.
            operation.seconds = outcome.seconds
        self._helpdesk.tell(feedback_of(feature, tenant, outcome))

    def _strikes_shadow(self, feature: str, at: float) -> bool:
        """Whether the fault makes the new code fail in shadow, which it does as where the feature is enabled."""
        fault = self.fault
        if fault is None or not fault.strikes(feature, True, at):
            return False
        return not fault.worsened(self._shadow_chance, _WELL).ok


def report(workers: list[Worker], feature: str) -> dict[str, Any]:
    """How many operations ran in all, how many met the fault, and when those of one feature began, by instance."""
    return {
        "operations": sum(sum(worker.operations.values()) for worker in workers),
        "struck": sum(worker.struck for worker in workers),
        "started": {worker.instance_id: list(worker.started.get(feature, ())) for worker in workers},
    }


def strike(workers: list[Worker], fault: Fault) -> dict[str, Any]:
    """Let the fault happen from its moment on, and say which it is."""
    for worker in workers:
        worker.fault = fault
    return {"fault_at": fault.since, "in_time": time.time() < fault.since}


def main() -> None:
    """Run until standard input ends."""
    settings = ServiceSettings.from_json(sys.stdin.readline())
    helpdesk = Helpdesk(settings.url, settings.api_key)
    workers = [Worker(settings, number, helpdesk) for number in range(1, settings.instances + 1)]
    helpdesk.start()
    for worker in workers:
        worker.start()
    try:
        for line in sys.stdin:
            order, _, rest = line.strip().partition(" ")
            answer = strike(workers, Fault.from_json(rest)) if order == "fault" else report(workers, rest)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    finally:
        for worker in workers:
            worker.stop()
        helpdesk.stop()


if __name__ == "__main__":
    main()
