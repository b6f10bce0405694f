"""The entry that the command line calls: chooses theme and manners, then runs the app, or prints the plain status."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagconsole.console import garbage
from flagconsole.console.manners import Manners
from flagconsole.console.place import Contexts, Place, Switch

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp
    from flagconsole.console.clock import Clock
    from flagconsole.console.keeper import Keeper
    from flagconsole.console.session import Connect

_PLAIN = Manners()

#: Frames a second at most. A key that comes just after a frame waits for the next: with Textual's 60 that is a sixtieth of a
#: second. Frames are drawn only for what changed, ten times a second at most but for keys, so more of them cost nothing.
MOST_FRAMES: Final = 240


def run_console(
    place: Place,
    manners: Manners = _PLAIN,
    contexts: Contexts | None = None,
    *,
    state_folder: Path | None = None,
    cache_folder: Path | None = None,
) -> int:
    """Run the console until it is left, at ``place`` and wherever it is switched to. Returns the exit code.

    ``state_folder`` holds the journal of actions and the crash log, ``cache_folder`` what is kept for the next start; by
    default the user's folders. Without a real terminal, or with ``TERM=dumb``, the status is printed as plain text instead.
    Raises ``InvalidInput`` for a theme or keys that can't be used.
    """
    garbage.hold_off()
    # Textual reads it when it is imported, so nothing of it may be before this.
    os.environ.setdefault("TEXTUAL_FPS", str(MOST_FRAMES))
    from flagconsole.console.terminal import full_screen_possible

    if not full_screen_possible():
        garbage.settle()
        import asyncio

        from flagconsole.console.plain import print_status

        return asyncio.run(print_status(place.url, place.api_key, sys.stdout))
    while True:
        # Another place gets another app: nothing of the one before can stay on screen or in a state.
        app = make_app(place, manners, contexts, state_folder=state_folder, cache_folder=cache_folder)
        result = app.run(mouse=manners.mouse)
        if isinstance(result, Switch):
            place, manners = result.place, app.manners
            continue
        return app.return_code or result or 0


def make_app(
    place: Place,
    manners: Manners = _PLAIN,
    contexts: Contexts | None = None,
    *,
    state_folder: Path | None = None,
    cache_folder: Path | None = None,
    clock: Clock | None = None,
) -> ConsoleApp:
    """The console at a place, not yet running. Raises ``InvalidInput`` for a theme or keys that can't be used."""
    from flagconsole.console.app import ConsoleApp, Options
    from flagconsole.console.cache import cache_path
    from flagconsole.console.journal import Journal
    from flagconsole.console.keeper import Keeper
    from flagconsole.console.keymap import KeyMap
    from flagconsole.console.theme import COLOURLESS_THEME, DEFAULT_THEME, load_theme

    # An empty NO_COLOR doesn't count (no-color.org); Textual would let it.
    colourless = bool(os.environ.get("NO_COLOR"))
    if not colourless:
        os.environ.pop("NO_COLOR", None)
    palette = load_theme(COLOURLESS_THEME if colourless else manners.theme or DEFAULT_THEME)
    state = state_folder or _default_state_folder()
    caches = cache_folder or (state / "cache" if state_folder is not None else _default_cache_folder())
    keeper = Keeper(cache_path(caches, place.name, place.api_key))
    options = Options(server=place.url, log_folder=state, secrets=(place.api_key,), place=place)
    return ConsoleApp(
        _connecting(place, keeper),
        options,
        palette,
        manners=manners,
        contexts=contexts,
        keymap=KeyMap().remapped(manners.keys) if manners.keys else None,
        journal=Journal(state / "journal.db"),
        keeper=keeper,
        clock=clock,
    )


#: What the stream brings besides changes.
INCLUDED: Final = ("receipts", "incidents", "rollouts")


def _connecting(place: Place, keeper: Keeper) -> Connect:
    """What loads the client beside the event loop, so that keys are answered meanwhile."""
    from flagconsole.console.session import Link, as_server

    def load() -> Link:
        from flagconsole.console import behind

        behind.load()
        from flagconsole.client.http import Client
        from flagconsole.client.stream import Stream
        from flagconsole.domain import requests, views  # noqa: F401 - their models take time to build

        known = keeper.cached
        # No server that is behind what was shown before is listened to.
        client = Client(place.url, place.api_key, position=None if known is None else (known.epoch, known.revision))
        garbage.settle()
        return Link(
            as_server(client),
            lambda position: aiter(
                Stream(place.url, place.api_key, include=INCLUDED, position=position, impatient=True)
            ),
        )

    async def connect() -> Link:
        import asyncio

        return await asyncio.to_thread(load)

    return connect


def _default_state_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_state_dir("flagconsole"))


def _default_cache_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("flagconsole"))
