"""The screens and sheets of rollouts and incidents as text, at three sizes, with a fixed clock and fleet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.verdict import VerdictKind

from .fake_rollouts import Moving, calm, going_bad
from .golden import LARGE, MIDDLE, SMALL, Scene, file_name, is_as_it_was

NAME = "pos.loyalty_points"


async def failing(console: Any) -> None:
    """A canary that goes bad, on its dashboard."""
    server = console.server
    server.rollout_of(NAME)
    for ago, kind in ((400.0, "pass"), (250.0, "pass"), (130.0, "fail"), (70.0, "fail"), (4.0, "fail")):
        server.look(NAME, server.verdict(NAME, VerdictKind(kind), ago=ago))
    await console.press("enter")
    await console.until("FAIL 2:1")
    await console.until("error rate %  1/")
    await console.until("0┤")


async def canary_failing(console: Any) -> None:
    await failing(console)


async def canary_held(console: Any) -> None:
    server = console.server
    server.rollout_of(NAME, progression_paused=True, exposure_frozen=True, pause_reason="waiting for the tax release")
    server.look(NAME, server.verdict(NAME))
    server.tell_rollout(NAME)
    await console.press("enter")
    await console.until("EXPOSURE FROZEN")
    await console.until("0┤")


async def canary_no_data(console: Any) -> None:
    server = console.server
    server.rollout_of(NAME)
    server.look(NAME, server.verdict(NAME, VerdictKind.NO_DATA))
    await console.press("enter")
    await console.until("NO DATA")
    await console.until("nothing was ever measured")


async def canary_ended(console: Any) -> None:
    server = console.server
    server.rollout_of(NAME)
    server.look(NAME, server.verdict(NAME, VerdictKind.FAIL))
    rollout = server.rollouts_by_flag[NAME]
    ended = {"ended_at": rollout.looked_at, "end_reason": "error_rate > 2 %"}
    server.tell_rollout(NAME, status=RolloutStatus.ROLLED_BACK, **ended)
    await console.press("enter")
    await console.until("ROLLED BACK")
    await console.until("0┤")


async def canary_none(console: Any) -> None:
    await console.press("enter")
    await console.until("has no rollout")


async def incidents(console: Any) -> None:
    server = console.server
    server.incident_of(NAME)
    closed = server.incident_of("billing.retry", 2, ago=90_000.0, playbook=None, run=None, estimate_minutes=None)
    at = closed.started_at
    server.tell_incident("inc-1")
    server.tell_incident(
        "inc-2", completed_at=at + timedelta(minutes=4), closed_at=at + timedelta(minutes=30), closed_by="maria",
        restoration_minutes=4.0, root_cause="a retry loop without a limit",
    )  # fmt: skip
    await console.until("! 1" if console.app.size.width < 100 else "needs attention")
    await console.press("i")
    await console.until("WHAT HAPPENED" if console.app.size.height > 30 else "NOT RESTORED")


async def incident_step(console: Any) -> None:
    await manual(console)
    await console.press("C")
    await console.until("[step: Look at the payment")


async def incident_close(console: Any) -> None:
    await incidents(console)
    await console.press("X", "1")
    await console.until("Y close it")


async def manual(console: Any) -> None:
    """The last step of the playbook waits for a person."""
    await incidents(console)
    server = console.server
    run = server.incidents_by_id["inc-1"].run
    begun = run.steps[-1].begun(run.created_at)
    steps = (*run.steps[:-1], begun)
    server.tell_incident("inc-1", run=run.model_copy(update={"steps": steps}))
    await console.until("needs you")


async def rollback_playbook(console: Any) -> None:
    await failing(console)
    await console.press("R")
    await console.until("then Y begin immediate")


async def rollback_running(console: Any) -> None:
    await rollback_playbook(console)
    await console.press("1", "Y")
    await console.until("immediate RUNNING")
    await console.until("PROPAGATING 0/12")


async def kill_suggested(console: Any) -> None:
    await failing(console)
    await console.press("K", "1")
    await console.until("Y kill now")


async def promote_checklist(console: Any) -> None:
    await console_with_rollout(console)
    console.server.ticked[NAME] = {"defined in the store"}
    await console.press("P")
    await console.until("[ ] shadow mode ready")


async def promote_past(console: Any) -> None:
    await failing(console)
    await console.press("P")
    await console.until("REFUSED")
    await console.press("!")
    await console.until("PAST THE VERDICT")
    await console.until("then type loyalty_points")


async def hold(console: Any) -> None:
    await console_with_rollout(console)
    await console.press("H", "1")
    await console.until("Y pause progression")


async def set_state(console: Any) -> None:
    await console.press("S")
    await console.until("choose with ← →")
    await console.press("right")
    await console.until("then type loyalty_points")


async def override(console: Any) -> None:
    await console.press("O")
    await console.type("tenant-0009")
    await console.press("enter")
    await console.until("[24h]")


async def start(console: Any) -> None:
    await console.press("B")
    await console.until("then type loyalty_points")


async def undo(console: Any) -> None:
    await console.press("S")
    await console.until("choose with ← →")
    await console.press("left", "left", "left")
    await console.until("then Y set it")
    await console.press("1", "Y")
    await console.until("ACCEPTED")
    await console.press("x", "U")
    await console.until("then type loyalty_points")


async def console_with_rollout(console: Any) -> None:
    server = console.server
    server.rollout_of(NAME, fresh_seconds=48 * 3600.0)
    server.look(NAME, server.verdict(NAME))
    await console.press("enter")
    await console.until("✓ PASS")


async def zoom(console: Any) -> None:
    await failing(console)
    await console.press("z")
    await console.until("copy as text")
    await console.until("└┬")


#: What is measured in a scene.
MOVING: dict[Scene, Moving] = {canary_failing: going_bad, canary_held: calm, canary_ended: going_bad}
MOVING |= dict.fromkeys((zoom, kill_suggested, rollback_playbook, rollback_running, promote_past), going_bad)
SCENES: list[Scene] = [canary_failing, canary_held, canary_no_data, canary_ended, canary_none]
SCENES += [zoom, kill_suggested, rollback_playbook, rollback_running, promote_checklist, promote_past, hold, set_state]
SCENES += [override, start, undo, incidents, incident_step, incident_close]
LARGE_SCENES: list[Scene] = [canary_failing, rollback_running, incidents]
CASES = [(scene, size) for scene in SCENES for size in (SMALL, MIDDLE)] + [(scene, LARGE) for scene in LARGE_SCENES]


@pytest.mark.parametrize(("scene", "size"), CASES, ids=[file_name(*case) for case in CASES])
async def test_screen_is_as_it_was(server: Any, open_console: Any, scene: Scene, size: tuple[int, int]) -> None:
    if scene in MOVING:
        server.moving[NAME] = MOVING[scene]
    async with open_console(size=size) as console:
        await scene(console)
        await is_as_it_was(console, file_name(scene, size))
