"""Comparing a screen with the text that it had: ``FLAGCONSOLE_GOLDENS=write`` writes it anew."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from flagconsole.console.state import Phase

GOLDENS = Path(__file__).parent / "goldens"
SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 50)

Scene = Callable[[Any], Awaitable[None]]


def file_name(scene: Scene, size: tuple[int, int]) -> str:
    """The name of a scene's file at a size."""
    return f"{scene.__name__.rstrip('_')}-{size[0]}x{size[1]}"


async def is_as_it_was(console: Any, name: str) -> None:
    """Wait until the screen is as in the file of that name; write the file where that was asked for."""
    golden = GOLDENS / f"{name}.txt"
    await up_to_date(console)
    if os.environ.get("FLAGCONSOLE_GOLDENS") == "write":
        await console.pilot.pause(0.3)
        await console.settled()
        await up_to_date(console)
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(console.screen() + "\n", encoding="utf-8")
    wanted = golden.read_text(encoding="utf-8").rstrip("\n")
    try:
        await console.until(lambda: console.screen().rstrip("\n") == wanted, 15.0)
    except AssertionError:
        assert console.screen().rstrip("\n") == wanted


async def up_to_date(console: Any) -> None:
    """What is told by the second is told by the test's clock, and the last sign of life came now."""
    connection = console.app.state.connection
    if connection.phase is Phase.LIVE and console.server.streams and console.app.traveller.present is None:
        console.server.beat()
        await console.until(lambda: console.app.state.connection.fresh_at == console.clock.now)
    console.app._tick()
    await console.pilot.pause()
