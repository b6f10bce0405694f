"""Comparing a screen with the text that it had: ``FLAGCONSOLE_GOLDENS=write`` writes it anew."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

GOLDENS = Path(__file__).parent / "goldens"
SMALL, MIDDLE, LARGE = (80, 24), (120, 40), (200, 50)

Scene = Callable[[Any], Awaitable[None]]


def file_name(scene: Scene, size: tuple[int, int]) -> str:
    """The name of a scene's file at a size."""
    return f"{scene.__name__.rstrip('_')}-{size[0]}x{size[1]}"


async def is_as_it_was(console: Any, name: str) -> None:
    """Wait until the screen is as in the file of that name; write the file where that was asked for."""
    golden = GOLDENS / f"{name}.txt"
    if os.environ.get("FLAGCONSOLE_GOLDENS") == "write":
        await console.settled()
        await console.pilot.pause(0.8)
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(console.screen() + "\n", encoding="utf-8")
    wanted = golden.read_text(encoding="utf-8").rstrip("\n")
    try:
        await console.until(lambda: console.screen().rstrip("\n") == wanted, 15.0)
    except AssertionError:
        assert console.screen().rstrip("\n") == wanted
