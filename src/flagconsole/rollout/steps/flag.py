"""``flag``: lower the flag's exposure, inside the transaction that also records the step."""

from __future__ import annotations

from flagconsole.domain.playbook_run import StepStatus
from flagconsole.operations.context import Context
from flagconsole.operations.playbook_flag import apply_effect
from flagconsole.rollout.steps.scene import Result, Scene
from flagconsole.store.protocol import Transaction


async def change_flag(tx: Transaction, context: Context, scene: Scene) -> Result:
    """Done at once, and with the step's record or not at all."""
    assert scene.step.effect is not None, "a flag step has an effect"
    change = await apply_effect(tx, context, scene.run.flag_name, scene.step.effect, scene.run.reason)
    if change is None:
        return Result(StepStatus.DONE, "nothing to change")
    return Result(StepStatus.DONE, f"revision {change.change_id}", change_id=change.change_id)
