"""Going to another context: its key is fetched first, then this app ends and another one begins there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from flagconsole.console.place import Sketch, Switch
from flagconsole.domain.errors import FlagConsoleError

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp


class Switcher:
    """Switches one app to another context."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app

    def sketches(self) -> list[Sketch]:
        """The contexts there are; none where the configuration can't be used, which is said."""
        if self._app.contexts is None:
            return []
        try:
            return self._app.contexts.sketches()
        except FlagConsoleError as error:
            self._app.say(str(error))
            return []

    def switch(self, name: str) -> None:
        """Go to a context; asks first while an action has no answer yet. What can't be entered is said, and nothing moves."""
        app = self._app
        if not name:
            app.ask_palette("env ")
        elif name == app.place.context:
            app.say(f"this is {name}")
        elif app.must_ask_before_leaving and not app.sheet_open:
            from flagconsole.console.sheets.leaving import LeavingSheet

            app.console_screen.open_sheet(LeavingSheet(f"GO TO {name}", lambda: self._go(name)))
        else:
            self._go(name)

    def _go(self, name: str) -> None:
        self._app.say(f"going to {name}: fetching its key")
        self._app.run_worker(self._enter(name), group="switching", exclusive=True)

    async def _enter(self, name: str) -> None:
        app = self._app
        if app.contexts is None:
            app.say("there are no contexts: flagconsole contexts add NAME --url URL")
            return
        try:
            place = await asyncio.to_thread(app.contexts.enter, name)
        except FlagConsoleError as error:
            app.say(f"still here: {error}")
            return
        app.exit(Switch(place))
