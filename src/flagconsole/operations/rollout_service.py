"""``RolloutOperations``: what people ask of rollouts, with authorisation, one transaction and idempotency around it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from flagconsole.domain.errors import FlagNotFound, InvalidInput, NoSuchRollout
from flagconsole.domain.plan import Plan
from flagconsole.domain.role import Actor
from flagconsole.domain.rollout import Rollout, RolloutStep
from flagconsole.domain.rollout_views import (
    Checklist,
    NumberedVerdict,
    RolloutDetail,
    VerdictPage,
)
from flagconsole.operations import approvals, rollouts
from flagconsole.operations.approvals import Asked, put_to_somebody
from flagconsole.operations.checklist import CHECKLIST, checklist_of, tick_items
from flagconsole.operations.context import Context
from flagconsole.operations.once import fingerprint_of_parts, once
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.operations.phase_draw import DrawOutdated, PhaseDraw, phase_draw
from flagconsole.store.protocol import Store, Transaction

Work = Callable[[Transaction, Context, PhaseDraw | None], Awaitable[Rollout]]
LIMIT = 500
#: How often a cohort is drawn anew because the flag was changed meanwhile.
_TRIES: Final = 3


class RolloutOperations:
    """The use cases of rollouts on one store."""

    def __init__(self, store: Store, *, requires_versions: bool = False, requires_approvals: bool = False) -> None:
        self.store = store
        self.requires_versions = requires_versions
        self.requires_approvals = requires_approvals

    async def start(
        self,
        actor: Actor,
        flag_name: str,
        plan: Plan,
        reason: str,
        *,
        checked: bool = False,
        seed: int | None = None,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> Rollout:
        """Begin a rollout in the plan's first phase. Its cohorts are drawn by ``seed``, or a random one.
        ``checked`` ticks what is missing of the pre-canary checklist, if the rollout starts."""
        chosen = secrets.randbits(32) if seed is None else seed

        async def drawn() -> PhaseDraw | None:
            return await phase_draw(self.store, flag_name, plan.name, plan.phases[0], chosen)

        async def work(tx: Transaction, context: Context, draw: PhaseDraw | None) -> Rollout:
            return await rollouts.start(tx, context, flag_name, plan, reason, seed=chosen, draw=draw, checked=checked)

        asked = ("start", flag_name, plan.model_dump_json(), reason, str(checked))
        return await self._change(Operation.START, work, actor, asked, version, idempotency_key, dry_run, drawn)

    async def promote(
        self,
        actor: Actor,
        flag_name: str,
        reason: str,
        *,
        past_verdict: bool = False,
        checked: bool = False,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> Rollout:
        """Go to the next phase; ``past_verdict`` goes past one that isn't ``pass``, and needs an admin. ``checked`` as in a start."""

        async def drawn() -> PhaseDraw | None:
            async with self.store.read() as reader:
                rollout = next((item for item in await reader.active_rollouts() if item.flag_name == flag_name), None)
            if rollout is None:
                return None
            return await phase_draw(self.store, flag_name, rollout.plan.name, rollout.next_phase, rollout.seed)

        async def work(tx: Transaction, context: Context, draw: PhaseDraw | None) -> Rollout:
            return await rollouts.promote(
                tx, context, flag_name, reason, past_verdict=past_verdict, checked=checked, draw=draw
            )

        asked = ("promote", flag_name, reason, str(past_verdict), str(checked))
        return await self._change(Operation.PROMOTE, work, actor, asked, version, idempotency_key, dry_run, drawn)

    async def hold(
        self,
        actor: Actor,
        flag_name: str,
        reason: str,
        *,
        freeze_exposure: bool = False,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> Rollout:
        """Pause the progression, and with ``freeze_exposure`` the exposure too."""

        async def work(tx: Transaction, context: Context, _: PhaseDraw | None) -> Rollout:
            return await rollouts.hold(tx, context, flag_name, reason, freeze_exposure=freeze_exposure)

        asked = ("hold", flag_name, reason, str(freeze_exposure))
        return await self._change(Operation.HOLD, work, actor, asked, None, idempotency_key, dry_run)

    async def resume(
        self,
        actor: Actor,
        flag_name: str,
        reason: str,
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> Rollout:
        """End both pauses."""

        async def work(tx: Transaction, context: Context, _: PhaseDraw | None) -> Rollout:
            return await rollouts.resume(tx, context, flag_name, reason)

        asked = ("resume", flag_name, reason)
        return await self._change(Operation.HOLD, work, actor, asked, None, idempotency_key, dry_run)

    async def abort(
        self,
        actor: Actor,
        flag_name: str,
        reason: str,
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> Rollout:
        """End the rollout and leave the flag as it is."""

        async def work(tx: Transaction, context: Context, _: PhaseDraw | None) -> Rollout:
            return await rollouts.abort(tx, context, flag_name, reason)

        asked = ("abort", flag_name, reason)
        return await self._change(Operation.HOLD, work, actor, asked, None, idempotency_key, dry_run)

    async def tick(self, actor: Actor, flag_name: str, items: tuple[str, ...], note: str = "") -> Checklist:
        """Tick items of the pre-canary checklist. Raises ``InvalidInput`` for one that isn't on it."""
        for item in items:
            if item not in CHECKLIST:
                raise InvalidInput(
                    f"The items are: {', '.join(CHECKLIST)}.",
                    field="items",
                    problem="names something that is not on the checklist",
                    value=item,
                )
        async with self.store.write() as tx:
            ticks = await tick_items(tx, Context(actor, await tx.now()), flag_name, items, note)
            return checklist_of(ticks, _plan(await tx.active_rollout(flag_name)))

    async def checklist(self, actor: Actor, flag_name: str) -> Checklist:
        """The flag's pre-canary checklist."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            newest = next(iter(await reader.rollouts(flag_name=flag_name, limit=1)), None)
            return checklist_of(await reader.checklist(flag_name), _plan(newest))

    async def rollouts(self, actor: Actor, flag_name: str | None = None, *, limit: int = 50) -> list[Rollout]:
        """Rollouts, newest first."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return await reader.rollouts(flag_name=flag_name, limit=min(limit, LIMIT))

    async def active(self, actor: Actor) -> list[Rollout]:
        """The rollouts that are under way, by flag."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return await reader.active_rollouts()

    async def past(self, actor: Actor, flag_name: str, rollout_id: str | None = None) -> Rollout:
        """One rollout of the flag, under way or over: that one, or the newest."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            if await reader.flag(flag_name) is None:
                raise FlagNotFound(flag=flag_name)
            if rollout_id is None:
                found = next(iter(await reader.rollouts(flag_name=flag_name, limit=1)), None)
            else:
                found = await reader.rollout(rollout_id)
        if found is None or found.flag_name != flag_name:
            raise NoSuchRollout(flag=flag_name, rollout_id=rollout_id or "newest")
        return found

    async def steps(self, actor: Actor, rollout_id: str) -> list[RolloutStep]:
        """What happened to a rollout, in order."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return await reader.rollout_steps(rollout_id)

    async def detail(self, actor: Actor, flag_name: str) -> RolloutDetail:
        """The flag's newest rollout with its steps, and its checklist."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            if await reader.flag(flag_name) is None:
                raise FlagNotFound(flag=flag_name)
            newest = next(iter(await reader.rollouts(flag_name=flag_name, limit=1)), None)
            steps = () if newest is None else tuple(await reader.rollout_steps(newest.rollout_id))
            checklist = checklist_of(await reader.checklist(flag_name), _plan(newest))
            return RolloutDetail(rollout=newest, steps=steps, checklist=checklist)

    async def verdicts(
        self, actor: Actor, flag_name: str, *, before: int | None = None, limit: int = 100
    ) -> VerdictPage:
        """Looks of the judge, newest first."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            found = await reader.verdicts(flag_name, before=before, limit=limit + 1)
        page = tuple(NumberedVerdict(verdict_id=number, verdict=verdict) for number, verdict in found[:limit])
        return VerdictPage(verdicts=page, next_before=page[-1].verdict_id if len(found) > limit else None)

    async def _change(
        self,
        operation: Operation,
        work: Work,
        actor: Actor,
        asked: tuple[str, ...],
        version: int | None,
        idempotency_key: str | None,
        dry_run: bool,
        drawn: Callable[[], Awaitable[PhaseDraw | None]] | None = None,
    ) -> Rollout:
        authorize(actor, operation)
        fingerprint = fingerprint_of_parts(actor, *asked)
        for last in (*[False] * (_TRIES - 1), True):
            draw = None if drawn is None else await drawn()
            try:
                request = Asked(actor, fingerprint, operation, asked[1], json.dumps(asked, ensure_ascii=False))
                async with put_to_somebody(self.store, request, dry_run=dry_run):
                    return await once(
                        self.store,
                        self._with(work, actor, fingerprint, version, draw),
                        Rollout,
                        idempotency_key,
                        fingerprint,
                        version,
                        dry_run=dry_run,
                        tried_again=() if last else (DrawOutdated,),
                    )
            except DrawOutdated:
                if last:
                    raise
        raise AssertionError("the last try answers or raises")

    def _with(
        self, work: Work, actor: Actor, fingerprint: str, version: int | None, draw: PhaseDraw | None
    ) -> Callable[[Transaction], Awaitable[Rollout]]:
        async def whole(tx: Transaction) -> Rollout:
            approval = await approvals.given(tx, fingerprint) if self.requires_approvals else None
            context = Context(
                actor,
                await tx.now(),
                version,
                self.requires_versions,
                needs_approval=self.requires_approvals,
                approved_by=None if approval is None else approval.approved_by,
            )
            rollout = await work(tx, context, draw)
            await approvals.use(tx, approval)
            return rollout

        return whole


def _plan(rollout: Rollout | None) -> Plan | None:
    return rollout.plan if rollout is not None and rollout.status.active else None
