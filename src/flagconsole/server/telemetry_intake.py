"""Takes batches of measurements: several are written together, and each is answered once it is written."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

from flagconsole.domain.errors import FlagConsoleError, StoreUnavailable
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.role import Actor
from flagconsole.domain.shadow import ShadowBatch
from flagconsole.domain.telemetry import LATE_SECONDS, FeedbackBatch, Taken, TelemetryBatch
from flagconsole.operations.questions import QuestionReport, questions_write
from flagconsole.operations.shadow_intake import shadow_write
from flagconsole.operations.telemetry import Phases, PhaseUnderWay, feedback_write, telemetry_write
from flagconsole.store.metric_store import MetricWrite
from flagconsole.store.protocol import Store

#: Batches that arrive within this many seconds are written together.
GATHER_SECONDS: Final = 0.05
#: More batches than this don't wait; whoever sends more is asked to come again.
MOST_WAITING: Final = 500
#: Tenants reported for one flag and bucket, by all instances together; beyond it they are counted without their names.
TENANTS_PER_BUCKET: Final = 100_000
#: Names of fields, errors and validations kept for one flag and bucket of shadow executions.
NAMES_PER_BUCKET: Final = 500
#: How long the list of flags in rollout is believed, seconds.
_ROLLOUTS_SECONDS: Final = 5.0


class TelemetryIntake:
    """The one way for measurements into the store. ``ruleset`` gives the present rules."""

    def __init__(self, store: Store, ruleset: Callable[[], Ruleset]) -> None:
        self._store = store
        self._ruleset = ruleset
        self._waiting: list[tuple[MetricWrite, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._tenants: Counter[tuple[str, int]] = Counter()
        self._names: dict[tuple[str, int], set[tuple[str, str, str]]] = {}
        self._rollouts: Phases = {}
        self._named: dict[tuple[str, int], set[str]] = {}
        self._rollouts_at = float("-inf")
        #: Buckets and events by what became of them, since the server started.
        self.counts: Counter[str] = Counter()
        #: Buckets that instances said they had to give up.
        self.dropped = 0

    async def telemetry(self, actor: Actor, batch: TelemetryBatch) -> Taken:
        """Take what an SDK measured. Raises ``StoreUnavailable`` when more comes than can be written."""
        now = await self._now()
        write, taken = telemetry_write(
            actor,
            batch,
            self._ruleset(),
            now,
            in_rollout=self._rollouts,
            has_room=self._has_room,
            named=self._name,
        )
        answer = await self._take(write, taken)
        if not answer.duplicate:
            self.dropped += batch.dropped
        return answer

    async def feedback(self, actor: Actor, batch: FeedbackBatch) -> Taken:
        """Take what people said. Raises ``StoreUnavailable`` when more comes than can be written."""
        now = await self._now()
        write, taken = feedback_write(actor, batch, self._ruleset(), now, in_rollout=self._rollouts, named=self._name)
        return await self._take(write, taken)

    async def shadow(self, actor: Actor, batch: ShadowBatch) -> Taken:
        """Take what shadow executions came to. Raises ``StoreUnavailable`` when more comes than can be written."""
        write, taken = shadow_write(
            actor, batch, self._ruleset(), await self._now(), has_room=self._has_room, has_name=self._has_name
        )
        answer = await self._take(write, taken)
        if not answer.duplicate:
            self.dropped += batch.dropped
        return answer

    async def asked(self, report: QuestionReport) -> Taken:
        """Take how often flags were asked for. Raises ``StoreUnavailable`` when more comes than can be written."""
        write, taken = questions_write(report, self._ruleset(), await self._now())
        return await self._take(write, taken)

    async def finish(self) -> None:
        """Write what still waits."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _now(self) -> float:
        async with self._store.read() as reader:
            now = (await reader.now()).timestamp()
            if not 0 <= now - self._rollouts_at < _ROLLOUTS_SECONDS:
                active = await reader.active_rollouts()
                self._rollouts = {rollout.flag_name: PhaseUnderWay.of(rollout) for rollout in active}
                self._rollouts_at = now
                self._forget(now)
        return now

    def _has_room(self, flag_name: str, start: int) -> bool:
        if self._tenants[flag_name, start] >= TENANTS_PER_BUCKET:
            return False
        self._tenants[flag_name, start] += 1
        return True

    def _has_name(self, flag_name: str, start: int, name: tuple[str, str, str]) -> bool:
        known = self._names.setdefault((flag_name, start), set())
        if name not in known and len(known) >= NAMES_PER_BUCKET:
            return False
        known.add(name)
        return True

    def _name(self, flag_name: str, since: int, tenant_id: str) -> str:
        known = self._named.setdefault((flag_name, since), set())
        if tenant_id not in known and len(known) >= TENANTS_PER_BUCKET:
            return ""
        known.add(tenant_id)
        return tenant_id

    def _forget(self, now: float) -> None:
        # Wide buckets last longer than an hour past their start; their count may well begin anew.
        for counted in (self._tenants, self._names):
            for key in [key for key in counted if key[1] < now - 3600 - LATE_SECONDS]:
                del counted[key]
        under_way = {(name, phase.since) for name, phase in self._rollouts.items()}
        self._named = {key: names for key, names in self._named.items() if key in under_way}

    async def _take(self, write: MetricWrite, taken: Taken) -> Taken:
        if len(self._waiting) >= MOST_WAITING:
            raise StoreUnavailable(
                "Ask again in a moment.", problem="measurements come faster than they can be written"
            )
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="flagconsole-telemetry")
        if not await written:
            self.counts["duplicate"] += taken.taken
            return Taken(batch_id=taken.batch_id, duplicate=True)
        for fate in ("taken", "late", "early", "unknown"):
            self.counts[fate] += getattr(taken, fate)
        return taken

    async def _write(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        while self._waiting:
            some, self._waiting = self._waiting, []
            try:
                new = await self._store.metrics.save([write for write, _ in some])
            except Exception as error:
                # Each batch is answered with what went wrong; what was written all the same is a duplicate next time.
                problem = error if isinstance(error, FlagConsoleError) else StoreUnavailable(problem=str(error))
                for _, written in some:
                    if not written.done():
                        written.set_exception(problem)
            else:
                for (_, written), is_new in zip(some, new, strict=True):
                    if not written.done():
                        written.set_result(is_new)
