"""The controller: tends every rollout, level-triggered, also while a playbook rolls it back: what gets worse then escalates.

A tick recomputes everything from the store. What it decides is carried out in one transaction together with the step's
name, which is unique, and with a check that this controller still leads; killed at any point, the next tick of any
controller does what is missing and nothing twice. No answer from a metric source delays a write: the look comes first,
then the transaction, which reads the rollout again and throws the look away when the rollout has moved meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Final

from flagconsole.domain.change import ChangeType
from flagconsole.domain.errors import ChecklistIncomplete, FlagConsoleError, FlagKilled, LeaseLost
from flagconsole.domain.escalation import escalation
from flagconsole.domain.flag import Flag
from flagconsole.domain.playbook import Playbook
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.rollout import Decision, Move, Rollout, RolloutStatus, StoredVerdict, decide
from flagconsole.domain.text import safe_text
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations import rollouts
from flagconsole.operations.context import Context
from flagconsole.operations.phase_draw import DrawOutdated, PhaseDraw, phase_draw
from flagconsole.operations.rollout_end import end
from flagconsole.rollout.judging import Judgement, Judging, NothingToJudge
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.playbook_file import read_playbooks
from flagconsole.rollout.scheduling import Scheduling
from flagconsole.store.protocol import Store, Transaction

#: Who the controller is in the log.
CONTROLLER: Final = Actor(name="controller", role=Role.ADMIN)
#: A look that takes longer than this (seconds) is none.
LOOK_SECONDS: Final = 20.0
#: How often the controller wakes up (seconds); each phase's monitoring level decides whether it is looked at.
WAKE_SECONDS: Final = 5.0
#: So many looks can have been kept between two of the controller's: its own, and those of a playbook that watches.
_LOOKS_AT_ONCE: Final = 10

log = logging.getLogger(__name__)


class Controller:
    """Tends the rollouts of one store while it leads, and with ``scheduling`` its scheduled changes."""

    def __init__(
        self,
        store: Store,
        judging: Judging,
        leadership: Leadership,
        *,
        playbooks: Mapping[str, Playbook] | None = None,
        scheduling: Scheduling | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._store = store
        self._judging = judging
        self._leadership = leadership
        self._playbooks = read_playbooks() if playbooks is None else playbooks
        self._scheduling = scheduling
        self._look_seconds = look_seconds

    async def run(self) -> None:
        """Tick until cancelled."""
        try:
            while True:
                try:
                    await self.tick()
                except FlagConsoleError as error:
                    log.warning("a tick of the controller failed: %s", safe_text(error))
                await asyncio.sleep(WAKE_SECONDS)
        finally:
            await self._leadership.release()

    async def tick(self) -> bool:
        """Look at every rollout that is due, and do what follows. False when another controller leads."""
        if not await self._leadership.acquire():
            return False
        if not await self._tend_schedules():
            return False
        async with self._store.read() as reader:
            active, now = await reader.active_rollouts(), await reader.now()
        for rollout in active:
            if rollout.due(now):
                try:
                    await self._tend(rollout)
                except LeaseLost:
                    return False
                except FlagConsoleError as error:
                    # One rollout's trouble (a full checklist, a flag gone) must not keep the others untended.
                    log.warning("%s: %s", safe_text(rollout.flag_name, 128), safe_text(error))
        # A phase that has just ended may have a change to follow.
        return await self._tend_schedules()

    async def _tend_schedules(self) -> bool:
        """Carry out the scheduled changes whose time has come. False when another controller leads."""
        if self._scheduling is not None:
            try:
                await self._scheduling.tick()
            except LeaseLost:
                return False
            except FlagConsoleError as error:
                log.warning("scheduled changes can't be tended: %s", safe_text(error))
        return True

    async def _tend(self, rollout: Rollout) -> None:
        async with self._store.read() as reader:
            flag, now = await reader.flag(rollout.flag_name), await reader.now()
            state = await reader.judge_state(rollout.rollout_id, rollout.phase)
        if flag is None:
            await self._write(rollout, None, self._flag_gone)
            return
        judgement = await self._look(rollout, flag, state, now)
        decision = decide(rollout.looked(judgement.verdict), flag.version)
        following = rollout.next_phase if decision.move is Move.PROMOTE else None
        draw = await phase_draw(self._store, rollout.flag_name, rollout.plan.name, following, rollout.seed)
        try:
            await self._write(rollout, judgement, partial(self._act, draw=draw))
        except DrawOutdated:
            log.info("%s was changed while its cohort was drawn: the next tick looks again", rollout.flag_name)

    async def _look(self, rollout: Rollout, flag: Flag, state: bytes | None, now: datetime) -> Judgement:
        """The judge's answer; whatever keeps it from answering is ``no_data`` with the reason."""
        try:
            async with asyncio.timeout(self._look_seconds):
                return await self._judging.look(rollout, flag, state, now)
        except TimeoutError:
            because = f"the metrics took longer than {self._look_seconds:g} s"
        except NothingToJudge as missing:
            because = str(missing)
        except Exception as error:  # a source's mistake is never evidence
            because = f"the metrics can't be read: {safe_text(str(error) or type(error).__name__, 200)}"
        return Judgement(
            StoredVerdict(
                rollout_id=rollout.rollout_id,
                flag_name=rollout.flag_name,
                phase=rollout.phase,
                at=now,
                kind=VerdictKind.NO_DATA,
                because=because,
            )
        )

    async def _write(
        self,
        seen: Rollout,
        judgement: Judgement | None,
        act: Callable[[Transaction, Context, Rollout], Awaitable[None]],
    ) -> None:
        """One transaction: check that we lead, read the rollout again, keep the look, do what follows from it."""
        async with self._store.write() as tx:
            await self._leadership.check(tx)
            present = await tx.active_rollout(seen.flag_name)
            if present is None or (present.rollout_id, present.phase) != (seen.rollout_id, seen.phase):
                tx.discard()  # killed, promoted or ended while we looked: the look is of another phase
                return
            context = Context(CONTROLLER, await tx.now())
            if judgement is not None:
                present = present.looked(judgement.verdict)
                await tx.add_verdict(judgement.verdict)
                if judgement.state is not None:
                    await tx.save_judge_state(present.rollout_id, present.phase, judgement.state)
                await tx.save_rollout(present)
            await act(tx, context, present)

    async def _flag_gone(self, tx: Transaction, context: Context, rollout: Rollout) -> None:
        await end(tx, context, rollout, RolloutStatus.ABORTED, "the flag was archived")

    async def _act(self, tx: Transaction, context: Context, rollout: Rollout, *, draw: PhaseDraw | None) -> None:
        flag = await tx.flag(rollout.flag_name)
        if flag is None:
            await self._flag_gone(tx, context, rollout)
            return
        decision = await self._decided(tx, rollout, flag)
        match decision.move:
            case Move.WAIT:
                return
            case Move.PAUSE:
                await rollouts.hold(tx, context, rollout.flag_name, decision.because, until_promoted=True)
            case Move.COMPLETE:
                await end(tx, context, rollout, RolloutStatus.COMPLETED, decision.because)
            case Move.PROMOTE:
                await self._promote(tx, context, rollout, decision, draw)
            case Move.ROLL_BACK:
                assert decision.playbook is not None
                playbook = self._playbooks[decision.playbook]
                await rollouts.begin_rollback(tx, context, rollout, playbook, decision.because)
            case Move.ESCALATE:
                assert decision.playbook is not None
                playbook = self._playbooks[decision.playbook]
                await rollouts.escalate(tx, context, rollout, playbook, decision.because)

    async def _decided(self, tx: Transaction, rollout: Rollout, flag: Flag) -> Decision:
        """What to do with a rollout that has just been looked at. While it is rolled back, the playbook's own looks at
        those who kept the feature count as well."""
        if rollout.status is not RolloutStatus.ROLLING_BACK:
            return decide(rollout, flag.version)
        run = await tx.active_run(rollout.flag_name)
        if run is None:
            return Decision(Move.WAIT, "its playbook is over")
        newest = await tx.verdicts(rollout.flag_name, rollout_id=rollout.rollout_id, limit=_LOOKS_AT_ONCE)
        return escalation(rollout, run.playbook, [look for _, look in newest if look.at >= run.created_at])

    async def _promote(
        self, tx: Transaction, context: Context, rollout: Rollout, decision: Decision, draw: PhaseDraw | None
    ) -> None:
        following = rollout.next_phase
        assert following is not None
        try:
            await rollouts.enter(
                tx,
                context,
                rollout,
                following,
                decision.because,
                change_type=ChangeType.AUTOMATED,
                draw=draw,
            )
        except (ChecklistIncomplete, FlagKilled) as error:
            await rollouts.hold(tx, context, rollout.flag_name, safe_text(error, 500), until_promoted=True)
