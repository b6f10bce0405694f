"""``manual``: a person does it and says so."""

from __future__ import annotations

from flagconsole.rollout.steps.scene import Result, Scene


async def manual(scene: Scene) -> Result | None:
    """Never done by itself: ``operations.incidents.confirm_step`` ends it."""
    return None
