"""``verify``: check until everything is as it should be, or the time is over."""

from __future__ import annotations

from flagconsole.domain.playbook_run import CheckResult, StepStatus
from flagconsole.rollout.checks import verify as look
from flagconsole.rollout.steps.scene import Result, Scene


async def verify(scene: Scene) -> Result | None:
    """Done when all checks are ``ok``; failed when its minutes are over and one isn't. What is unknown is not ok."""
    findings = [
        (check, await look(check, scene.store, scene.metrics, scene.run.flag_name, scene.now, scene.fleet))
        for check in scene.step.checks
    ]
    said = "; ".join(f"{check.value}: {finding.result.value} ({finding.found})" for check, finding in findings)
    if all(finding.result is CheckResult.OK for _, finding in findings):
        return Result(StepStatus.DONE, said)
    return Result(StepStatus.FAILED, said) if scene.time_is_over else None
