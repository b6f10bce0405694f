"""``wait``: let time pass."""

from __future__ import annotations

from flagconsole.domain.playbook_run import StepStatus
from flagconsole.rollout.steps.scene import Result, Scene


async def wait(scene: Scene) -> Result | None:
    """Done once its minutes are over; None before."""
    if not scene.time_is_over:
        return None
    return Result(StepStatus.DONE, f"waited {scene.step.minutes:g} min")
