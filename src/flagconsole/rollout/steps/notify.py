"""``notify``: put a notice into the outbox, inside the transaction that also records the step."""

from __future__ import annotations

from flagconsole.domain.playbook_run import StepStatus
from flagconsole.operations import notices
from flagconsole.operations.context import Context
from flagconsole.operations.incident_reading import existing_incident
from flagconsole.rollout.steps.scene import Result, Scene
from flagconsole.store.protocol import Transaction


async def notify(tx: Transaction, context: Context, scene: Scene) -> Result:
    """Done once it lies in the outbox; skipped where nobody has configured whom that reaches."""
    assert scene.step.audience is not None, "a notify step has an audience"
    count = await notices.tell(
        tx,
        context,
        scene.response,
        await existing_incident(tx, scene.run.incident_id),
        scene.run,
        topic=scene.step.name,
        audience=scene.step.audience,
        text=scene.filled(scene.step.text or ""),
    )
    if not count:
        return Result(StepStatus.SKIPPED, notices.UNROUTED)
    return Result(StepStatus.DONE, f"in the outbox for {count} destination{'s' if count != 1 else ''}")
