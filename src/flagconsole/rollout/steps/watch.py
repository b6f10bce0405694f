"""``watch``: see whether what was done so far helps."""

from __future__ import annotations

from datetime import timedelta

from flagconsole.domain.playbook_run import StepStatus
from flagconsole.domain.verdict import VerdictKind
from flagconsole.rollout.steps.scene import Result, Scene


async def watch(scene: Scene) -> Result | None:
    """Done with an improvement at the first ``pass`` after the time to settle, without one when its minutes are over.

    Only an explicit ``pass`` is an improvement: no data and inconclusive data are none.
    """
    since = scene.record.started_at or scene.now
    settled = scene.elapsed_minutes >= scene.step.settle_minutes
    if settled:
        since += timedelta(minutes=scene.step.settle_minutes)
    verdict = await scene.verdicts.verdict(scene.run.flag_name, since, scene.now)
    # What is still settling says neither that it helped nor that it didn't: it is only shown, and may ask for more.
    if settled and verdict is VerdictKind.PASS:
        return Result(StepStatus.DONE, f"improved after {scene.elapsed_minutes:.1f} min", improved=True)
    if not scene.time_is_over:
        return None
    return Result(StepStatus.DONE, f"no improvement within {scene.step.minutes:g} min: {verdict.value}", improved=False)
