"""Carries out the runs of playbooks, level-triggered.

A tick recomputes everything from the store. A step that acts outside the store is first recorded as started; found started
by a runner that is gone, it is done again where it is idempotent, and otherwise the run stops there and pages, since nobody
can know whether it happened. Steps that only change the store are done in the transaction that records them. Every
transaction checks the fence first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from flagconsole.domain.errors import FlagConsoleError, LeaseLost
from flagconsole.domain.flag import Flag
from flagconsole.domain.playbook import GRADUAL, KILL_SWITCH, Condition, OnFailure, Playbook, Step, StepKind
from flagconsole.domain.playbook_run import PlaybookRun, RunStatus, StepRecord, StepStatus
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import EXPOSURE_RANK, FlagState
from flagconsole.domain.text import safe_text
from flagconsole.operations.context import Context
from flagconsole.operations.fence import Fence
from flagconsole.operations.incident_reading import existing_incident
from flagconsole.operations.notices import tell, tell_of_opening
from flagconsole.operations.playbook_plan import planned
from flagconsole.operations.rollout_end import end_rolling_back
from flagconsole.operations.run_end import end_run
from flagconsole.rollout.checks import Fleet
from flagconsole.rollout.response import Response
from flagconsole.rollout.restoration import finish, restore_by_receipts
from flagconsole.rollout.sources import MetricSource
from flagconsole.rollout.steps.command import command, command_off
from flagconsole.rollout.steps.flag import change_flag
from flagconsole.rollout.steps.http import http, http_off
from flagconsole.rollout.steps.manual import manual
from flagconsole.rollout.steps.notify import notify
from flagconsole.rollout.steps.scene import Result, Scene, Verdicts
from flagconsole.rollout.steps.verify import verify
from flagconsole.rollout.steps.wait import wait
from flagconsole.rollout.steps.watch import watch
from flagconsole.store.protocol import Store, Transaction

if TYPE_CHECKING:
    import httpx

#: Who the runner is in the log.
RUNNER: Final = Actor(name="playbook", role=Role.ADMIN)
#: A run that no runner took within this time is not begun any more: what it would do is no longer what is needed.
EXPIRES: Final = timedelta(minutes=60)
#: How often an idempotent step is begun at most.
ATTEMPTS: Final = 3
#: Seconds after which the next run's turn begins, where the one before it waits for somebody outside.
_BEFORE_THE_NEXT: Final = 0.05
#: Who is paged when a run stops.
PAGED: Final = "on_call"

_IN_TRANSACTION: Final = {StepKind.FLAG: change_flag, StepKind.NOTIFY: notify}
_POLLED: Final = {
    StepKind.WAIT: wait,
    StepKind.WATCH: watch,
    StepKind.VERIFY: verify,
    StepKind.MANUAL: manual,
}

log = logging.getLogger(__name__)


class PlaybookRunner:
    """Tends all runs of one store while the fence holds."""

    def __init__(
        self,
        store: Store,
        playbooks: Mapping[str, Playbook],
        *,
        response: Response,
        verdicts: Verdicts,
        metrics: MetricSource | None,
        fence: Fence,
        connection: httpx.AsyncClient,
    ) -> None:
        self._store = store
        self._playbooks = playbooks
        self._response = response
        self._verdicts = verdicts
        self._metrics = metrics
        self._fence = fence
        self._connection = connection
        self._fleet = Fleet()
        self._turn = asyncio.Lock()
        #: The attempts that this very runner has begun; one that is recorded as started and isn't among them is orphaned.
        self._begun: set[tuple[str, str, int]] = set()

    async def tick(self) -> None:
        """Do what can be done now. Raises ``LeaseLost`` where somebody else tends the runs."""
        async with self._turn:
            self._fleet = Fleet()
            async with self._store.read() as reader:
                runs = await reader.active_runs()
            for result in await self._tended(runs):
                if isinstance(result, LeaseLost) or not isinstance(result, FlagConsoleError | None):
                    raise result
                if result is not None:
                    log.warning("a playbook could not go on: %s", safe_text(result))
            await restore_by_receipts(self._store, self._fence, self._fleet)

    async def _tended(self, runs: Sequence[PlaybookRun]) -> list[BaseException | None]:
        """Tend all of them, one after the other: a kill takes a dozen turns of the loop, and in each of them all runs would have theirs
        before it. One that waits for somebody outside goes on beside the next."""
        tasks: list[asyncio.Task[None]] = []
        try:
            for run in runs:
                tasks.append(asyncio.create_task(self._tend(run.run_id)))
                await asyncio.wait(tasks[-1:], timeout=_BEFORE_THE_NEXT)
            return await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise

    async def _tend(self, run_id: str) -> None:
        while await self._advance(run_id):
            pass

    async def _advance(self, run_id: str) -> bool:
        """Take the run one step further. False where there is nothing more to do now."""
        async with self._store.read() as reader:
            run = await reader.run(run_id)
            if run is None or run.status not in {RunStatus.PENDING, RunStatus.RUNNING}:
                return False
            steps, flag = await reader.steps_of(run_id), await reader.flag(run.flag_name)
            now = await reader.now()
        if run.status is RunStatus.PENDING:
            return await self._take(run)
        overtaken = _overtaken(run, flag)
        if overtaken is not None:
            await self._end(run, RunStatus.SUPERSEDED, overtaken)
            return False
        record = next((record for record in steps if not record.status.finished), None)
        if record is None:
            await finish(self._store, self._fence, self._metrics, run, now, self._fleet)
            return False
        assert run.definition is not None, "a run is planned when it is taken"
        step = run.definition.step(record.step)
        scene = Scene(self._store, run, step, record, now, self._response, self._metrics, self._verdicts, self._fleet)
        return await (self._begin(scene) if record.status is StepStatus.PENDING else self._go_on(scene))

    async def _take(self, run: PlaybookRun) -> bool:
        """Plan the steps and put the notices into the outbox, in one transaction."""
        async with self._store.write() as tx:
            await self._fence.check(tx)
            present = await tx.run(run.run_id)
            if present is None or present.status is not RunStatus.PENDING:
                tx.discard()
                return True
            context = Context(RUNNER, await tx.now())
            if context.now - present.created_at > EXPIRES:
                minutes = EXPIRES.total_seconds() / 60
                problem = f"nobody was there to run it within {minutes:g} min"
                await end_run(tx, context, present, RunStatus.EXPIRED, problem)
                await end_rolling_back(tx, context, present.flag_name, problem)
                return False
            if present.definition is None:
                playbook = self._playbooks[present.playbook]
                present = await planned(tx, context, present, playbook, {playbook.steps[0].name: present.change_id})
            taken = present.moved(status=RunStatus.RUNNING)
            await tx.save_run(taken)
            incident = await existing_incident(tx, taken.incident_id)
            await tell_of_opening(tx, context, self._response, incident, taken)
        return True

    async def _begin(self, scene: Scene) -> bool:
        """Record the step as started, or do it at once where it only concerns the store, or pass over it."""
        skipped = _skipped(scene)
        in_transaction = _IN_TRANSACTION.get(scene.step.kind)
        async with self._store.write(urgent=scene.step.kind is StepKind.FLAG) as tx:
            if not await self._still(tx, scene):
                tx.discard()
                return True
            context = Context(RUNNER, await tx.now())
            if skipped is not None:
                await self._record(tx, context, scene, scene.record, Result(StepStatus.SKIPPED, skipped))
            elif in_transaction is not None:
                record = scene.record.begun(context.now)
                await self._record(tx, context, scene, record, await in_transaction(tx, context, scene))
            else:
                record = scene.record.begun(context.now)
                await tx.save_step(record)
                self._begun.add((record.run_id, record.step, record.attempt))
        return True

    async def _go_on(self, scene: Scene) -> bool:
        """Look at a started step again, carry it out, or find that its runner is gone."""
        polled = _POLLED.get(scene.step.kind)
        if polled is not None:
            result = await polled(scene)
        else:
            record = scene.record
            if (record.run_id, record.step, record.attempt) not in self._begun:
                return await self._orphaned(scene)
            result = await (command(scene) if scene.step.kind is StepKind.COMMAND else http(scene, self._connection))
        if result is None:
            return False
        async with self._store.write() as tx:
            if not await self._still(tx, scene):
                tx.discard()
                return True
            await self._record(tx, Context(RUNNER, await tx.now()), scene, scene.record, result)
        return True

    async def _orphaned(self, scene: Scene) -> bool:
        """A step that acts outside was started by a runner that is gone."""
        async with self._store.write() as tx:
            if not await self._still(tx, scene):
                tx.discard()
                return True
            context = Context(RUNNER, await tx.now())
            if scene.step.idempotent and scene.record.attempt < ATTEMPTS:
                record = scene.record.begun(context.now)
                await tx.save_step(record)
                self._begun.add((record.run_id, record.step, record.attempt))
            else:
                said = f"its runner ended during attempt {scene.record.attempt}: nobody knows whether it happened"
                await self._record(tx, context, scene, scene.record, Result(StepStatus.UNCERTAIN, said))
        return True

    async def _still(self, tx: Transaction, scene: Scene) -> bool:
        """Whether the step is as it was when we looked. What acted outside is recorded even where its run is over."""
        await self._fence.check(tx)
        present = next((item for item in await tx.steps_of(scene.run.run_id) if item.step == scene.step.name), None)
        run = await tx.run(scene.run.run_id)
        acted = scene.step.acts_outside and scene.record.status is StepStatus.STARTED
        return present == scene.record and run is not None and (run.status is RunStatus.RUNNING or acted)

    async def _record(
        self, tx: Transaction, context: Context, scene: Scene, record: StepRecord, result: Result
    ) -> None:
        """Write the step's end, and what follows from it for the run."""
        over = record.over(result.status, context.now, safe_text(result.output), change_id=result.change_id)
        await tx.save_step(over)
        run = await tx.run(scene.run.run_id)
        assert run is not None, "runs are never deleted"
        if result.improved is not None:
            run = run.moved(improved=result.improved)
            await tx.save_run(run)
        if result.change_id is not None:
            incident = await existing_incident(tx, run.incident_id)
            if result.change_id not in incident.change_ids:
                changed = incident.model_copy(update={"change_ids": (*incident.change_ids, result.change_id)})
                await tx.save_incident(changed)
        failed = result.status is StepStatus.FAILED and scene.step.on_failure is OnFailure.STOP
        if run.status is RunStatus.RUNNING and (failed or result.status is StepStatus.UNCERTAIN):
            problem = f"{scene.step.title}: {result.status.value}: {safe_text(result.output, 500)}"
            stopped = run.moved(status=RunStatus.STOPPED, problem=problem)
            await tx.save_run(stopped)
            await self._page(tx, context, stopped, scene.step)

    async def _page(self, tx: Transaction, context: Context, run: PlaybookRun, step: Step) -> None:
        incident = await existing_incident(tx, run.incident_id)
        hint = f"Look, then: flagconsole incidents confirm {incident.incident_id} {step.name} NOTE"
        text = f"{run.flag_name}: playbook {run.playbook} stopped at {run.problem}. {hint}"
        topic = f"stopped_{step.name}"
        await tell(tx, context, self._response, incident, run, topic=topic, audience=PAGED, text=text)

    async def _end(self, run: PlaybookRun, status: RunStatus, problem: str) -> None:
        async with self._store.write() as tx:
            await self._fence.check(tx)
            present = await tx.run(run.run_id)
            if present is None or not present.status.active:
                tx.discard()
                return
            context = Context(RUNNER, await tx.now())
            await end_run(tx, context, present, status, problem)
            await end_rolling_back(tx, context, run.flag_name, problem)


def _overtaken(run: PlaybookRun, flag: Flag | None) -> str | None:
    """Why the run is no longer what is needed: a person has raised the flag again, or it is gone."""
    if flag is None:
        return "the flag was archived"
    if run.playbook == KILL_SWITCH and flag.current_state is not FlagState.KILL:
        return f"the flag was revived to {flag.current_state.value}"
    below_shadow = EXPOSURE_RANK[flag.current_state] < EXPOSURE_RANK[FlagState.SHADOW]
    if run.playbook not in {KILL_SWITCH, GRADUAL} and not below_shadow:
        return f"the flag was set to {flag.current_state.value} again"
    return None


def _skipped(scene: Scene) -> str | None:
    """Why the step isn't done."""
    if scene.step.when is Condition.NOT_IMPROVED and scene.run.improved:
        return "not needed: it improved"
    if scene.step.kind is StepKind.COMMAND:
        return command_off(scene)
    return http_off(scene) if scene.step.kind is StepKind.HTTP else None
