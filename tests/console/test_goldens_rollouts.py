"""The screens and sheets of rollouts and incidents as text, at three sizes, with a fixed clock and fleet."""

from __future__ import annotations

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
    ended = {"ended_at": rollout.looked_at, "end_reason": "error_rate > 0.02"}
    server.tell_rollout(NAME, status=RolloutStatus.ROLLED_BACK, **ended)
    await console.press("enter")
    await console.until("ROLLED BACK")
    await console.until("0┤")


async def canary_none(console: Any) -> None:
    await console.press("enter")
    await console.until("has no rollout")


#: What is measured in a scene.
MOVING: dict[Scene, Moving] = {canary_failing: going_bad, canary_held: calm, canary_ended: going_bad}
SCENES: list[Scene] = [canary_failing, canary_held, canary_no_data, canary_ended, canary_none]
LARGE_SCENES: list[Scene] = [canary_failing]
CASES = [(scene, size) for scene in SCENES for size in (SMALL, MIDDLE)] + [(scene, LARGE) for scene in LARGE_SCENES]


@pytest.mark.parametrize(("scene", "size"), CASES, ids=[file_name(*case) for case in CASES])
async def test_screen_is_as_it_was(server: Any, open_console: Any, scene: Scene, size: tuple[int, int]) -> None:
    if scene in MOVING:
        server.moving[NAME] = MOVING[scene]
    async with open_console(size=size) as console:
        await scene(console)
        await is_as_it_was(console, file_name(scene, size))
