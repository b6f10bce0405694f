"""The last minutes before the demo starts: rollouts that are under way, measured and judged on a clock that stands in the past.

The rollouts are begun by the real operations, what the services did is simulated and goes the way of every measurement, and
the real controller looks at it; what it promotes, it promotes by the judge's verdict.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from flagconsole.demo.fault import Fault
from flagconsole.demo.helpdesk import feedback_of
from flagconsole.demo.scenario import JUDGED_FLAG
from flagconsole.demo.services import operations_per_second, services_of
from flagconsole.demo.workload import Workload, asked, values_of
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.plan import Plan
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.telemetry import MAX_FEEDBACK, Feedback, FeedbackBatch, TelemetryBatch
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.plan_file import shipped_plan
from flagconsole.operations.reading import ruleset_of
from flagconsole.operations.rollout_service import RolloutOperations
from flagconsole.operations.telemetry import Phases, PhaseUnderWay, feedback_write, telemetry_write
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.store_judging import StoreJudging
from flagconsole.sdk.usage import Usage
from flagconsole.store.metric_store import MetricWrite
from flagconsole.store.protocol import Store

#: Seconds between two looks of the controller in the past; twice the plan's own, so that all of the time counts as watched.
_STEP_SECONDS: Final = 20
_BUCKET_SECONDS: Final = 10
_SDK: Final = Actor(name="services", role=Role.SDK)
_BATCH: Final = 500


class PastRollout(NamedTuple):
    """A rollout that began some minutes ago, and when and why somebody promoted it by hand. What isn't promoted by hand, the
    controller promotes when it passes."""

    flag_name: str
    actor: str
    minutes_ago: float
    reason: str
    promotions: tuple[tuple[float, str], ...] = ()


PAST_ROLLOUTS: Final = (
    PastRollout(JUDGED_FLAG, "jonas.payments", 7, "shadow reports are clean: links for everyone, step by step"),
    PastRollout(
        "scheduling.auto_assignment",
        "tom.field",
        4.5,
        "dispatchers ask for it",
        ((3, "the pilot ran for a month"), (1.5, "pilot crews are happy, criteria hold so far")),
    ),
    PastRollout("estimates.ai_pricing", "priya.estimates", 1.5, "model 4 replaces model 3"),
)


class PastClock:
    """A clock that stands where it is put."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


async def live_through(
    store: Store,
    clock: PastClock,
    now: datetime,
    seed: int,
    *,
    auto_rollback: bool = True,
    fault: Fault | None = None,
) -> None:
    """Let the rollouts begin and go on until ``now``, and a ``fault`` happen meanwhile. ``clock`` is the store's."""
    past = _Past(store, clock, seed, auto_rollback, fault)
    longest = max(rollout.minutes_ago for rollout in PAST_ROLLOUTS)
    steps = int(longest * 60 / _STEP_SECONDS)
    try:
        for step in range(steps, 0, -1):
            begin = now - timedelta(seconds=step * _STEP_SECONDS)
            clock.at = begin
            await past.change((now - begin).total_seconds() / 60)
            await past.work(begin)
            clock.at = begin + timedelta(seconds=_STEP_SECONDS)
            await past.look()
    finally:
        await past.leave()


class _Past:
    def __init__(
        self, store: Store, clock: PastClock, seed: int, auto_rollback: bool, fault: Fault | None = None
    ) -> None:
        self._store, self._clock, self._seed = store, clock, seed
        self._auto_rollback, self._fault = auto_rollback, fault
        self._rollouts = RolloutOperations(store)
        self._chance = random.Random(f"past {seed}")  # noqa: S311  # a simulation
        self._leadership = Leadership(store)
        self._controller = Controller(store, StoreJudging(store), self._leadership)
        self._workload: Workload | None = None
        self._done: set[tuple[str, str]] = set()
        self._usage = Usage(_BUCKET_SECONDS)

    async def change(self, minutes_ago: float) -> None:
        """Begin and promote what is due by now."""
        for rollout in PAST_ROLLOUTS:
            actor = Actor(name=rollout.actor, role=Role.ADMIN)
            if minutes_ago <= rollout.minutes_ago and self._first("start", rollout):
                await self._start(rollout, actor)
            for due, because in rollout.promotions:
                if minutes_ago <= due and self._first(because, rollout):
                    await self._rollouts.promote(actor, rollout.flag_name, because, past_verdict=True)

    def _first(self, what: str, rollout: PastRollout) -> bool:
        key = (what, rollout.flag_name)
        known = key in self._done
        self._done.add(key)
        return not known

    async def _start(self, rollout: PastRollout, actor: Actor) -> None:
        await self._rollouts.tick(actor, rollout.flag_name, CHECKLIST, "checked before shadow")
        seed = random.Random(f"{self._seed} {rollout.flag_name}").getrandbits(32)  # noqa: S311  # a simulation
        await self._rollouts.start(actor, rollout.flag_name, self._plan(rollout.flag_name), rollout.reason, seed=seed)

    def _plan(self, flag_name: str) -> Plan:
        plan = shipped_plan("demo").for_flag(flag_name)
        return plan.model_copy(update={"auto_rollback": self._auto_rollback})

    async def work(self, begin: datetime) -> None:
        """What the services did for the flags in rollout in one step from ``begin``, measured."""
        async with self._store.read() as reader:
            ruleset = ruleset_of(await reader.head(), await reader.flag_views(), await reader.overrides())
            if self._workload is None:
                self._workload = Workload(self._seed, [tenant.tenant_id for tenant in await reader.tenants()])
            active = await reader.active_rollouts()
        phases = {rollout.flag_name: PhaseUnderWay.of(rollout) for rollout in active}
        said: list[Feedback] = []
        writes: list[MetricWrite] = []
        now = begin.timestamp() + _STEP_SECONDS
        for rollout in PAST_ROLLOUTS:
            if ("start", rollout.flag_name) in self._done:
                said += self._operate(rollout.flag_name, ruleset, begin, self._workload)
                writes += self._measured(ruleset, phases, now)
        for first in range(0, len(said), MAX_FEEDBACK):
            events = tuple(said[first : first + MAX_FEEDBACK])
            batch = FeedbackBatch(batch_id=f"past-{secrets.token_hex(8)}", events=events)
            writes.append(feedback_write(_SDK, batch, ruleset, now, in_rollout=phases)[0])
        await self._store.metrics.save(writes)

    def _operate(self, flag_name: str, ruleset: Ruleset, begin: datetime, workload: Workload) -> list[Feedback]:
        chance = self._chance
        said: list[Feedback] = []
        rate = operations_per_second(flag_name)
        at, end = begin.timestamp() + chance.expovariate(rate), begin.timestamp() + _STEP_SECONDS
        while at < end:
            tenant = workload.next_tenant(chance)
            evaluation = ruleset.evaluate(flag_name, tenant, at)
            outcome = workload.outcome(chance, tenant)
            if self._fault is not None and self._fault.strikes(flag_name, evaluation.enabled, at):
                outcome = self._fault.worsened(chance, outcome)
            outcome = asked(chance, outcome)
            values = values_of(flag_name, evaluation.enabled, chance)
            self._usage.record(evaluation, tenant, at, **outcome.recorded, values=values)
            heard = feedback_of(flag_name, tenant, outcome)
            said.extend(item.model_copy(update={"occurred_at": begin}) for item in heard)
            at += chance.expovariate(rate)
        return said

    def _measured(self, ruleset: Ruleset, phases: Phases, now: float) -> Iterator[MetricWrite]:
        for table in self._usage.take(now, everything=True):
            rows = [cell.written(table.start, *key) for key, cell in table.cells.items()]
            for first in range(0, len(rows), _BATCH):
                some = rows[first : first + _BATCH]
                batch = TelemetryBatch.model_validate(
                    {
                        "batch_id": f"past-{secrets.token_hex(8)}",
                        "instance": "before-the-demo",
                        "service": services_of(some[0]["flag_name"])[0],
                        "bucket_seconds": _BUCKET_SECONDS,
                        "buckets": some,
                    }
                )
                yield telemetry_write(_SDK, batch, ruleset, now, in_rollout=phases)[0]

    async def look(self) -> None:
        """Let the controller look."""
        await self._controller.tick()

    async def leave(self) -> None:
        """Give the lease up, so that the demo's server needn't wait for it."""
        await self._leadership.release()
