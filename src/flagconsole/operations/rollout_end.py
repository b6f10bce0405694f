"""The end of a rollout, which comes once."""

from __future__ import annotations

from flagconsole.domain.rollout import Rollout, RolloutStatus, RolloutStep
from flagconsole.operations.context import Context
from flagconsole.store.protocol import Transaction


async def end(tx: Transaction, context: Context, rollout: Rollout, status: RolloutStatus, reason: str) -> Rollout:
    """End the rollout, once."""
    ended = rollout.ended(status, reason, context.now)
    if await tx.take_step(step_of(rollout, "end", context, f"{status.value}: {reason}")):
        await tx.save_rollout(ended)
    return ended


async def end_by_kill(tx: Transaction, context: Context, flag_name: str, reason: str) -> None:
    """A kill ends the flag's rollout, if it has one; a revive never restarts it."""
    rollout = await tx.active_rollout(flag_name)
    if rollout is not None:
        await end(tx, context, rollout, RolloutStatus.KILLED, reason)


async def end_rolling_back(tx: Transaction, context: Context, flag_name: str, reason: str) -> None:
    """End the flag's rollout where it is being rolled back: its playbook is over."""
    rollout = await tx.active_rollout(flag_name)
    if rollout is not None and rollout.status is RolloutStatus.ROLLING_BACK:
        await end(tx, context, rollout, RolloutStatus.ROLLED_BACK, reason[:1000])


def step_of(rollout: Rollout, name: str, context: Context, note: str) -> RolloutStep:
    """A step of the rollout, taken now."""
    return RolloutStep(
        rollout_id=rollout.rollout_id, step=name, at=context.now, by=context.actor.name, note=note[:1000]
    )
