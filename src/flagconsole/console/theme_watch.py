"""Reads the theme anew when its file changes, so that a theme can be written with the console open beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagconsole.console.theme import read_theme, theme_files
from flagconsole.domain.errors import FlagConsoleError

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp

#: Seconds between two looks at the file.
EVERY: Final = 1.0

_Mark = tuple[int, int, int]


def mark_of(name: str) -> tuple[Path | None, _Mark | None]:
    """The file of a theme and what tells that it is another one than before."""
    path = theme_files().get(name)
    if path is None:
        return None, None
    try:
        found = path.stat()
    except OSError:
        return path, None
    return path, (found.st_mtime_ns, found.st_size, found.st_ino)


async def watch_theme(app: ConsoleApp, every: float = EVERY) -> None:
    """Follow the theme's file until cancelled. One that can't be used is said, and the one before stays."""
    name = app.palette.name
    known = (await asyncio.to_thread(mark_of, name))[1]
    while True:
        await asyncio.sleep(every)
        if app.palette.name != name:
            name = app.palette.name
            known = (await asyncio.to_thread(mark_of, name))[1]
            app.warn("theme", "")
            continue
        path, mark = await asyncio.to_thread(mark_of, name)
        if path is None or mark is None or mark == known:
            continue
        known = mark
        try:
            palette = await asyncio.to_thread(read_theme, path)
        except FlagConsoleError as error:
            app.warn("theme", str(error))
        else:
            app.warn("theme", "")
            app.use(palette)
