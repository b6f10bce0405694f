"""The entry that the command line calls: chooses theme and manners, then runs the app, or prints the plain status."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flagconsole.console.theme import COLOURLESS_THEME, DEFAULT_THEME, load_theme

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp


def run_console(
    url: str,
    api_key: str,
    *,
    readonly: bool = False,
    mouse: bool = False,
    ascii_only: bool = False,
    theme: str | None = None,
    environment: str | None = None,
    tenant: str | None = None,
    state_folder: Path | None = None,
) -> int:
    """Run the console on a server until it is left. Returns the exit code.

    ``environment`` is shown until the server has said which one it is. ``state_folder`` holds the journal of actions and
    the crash log; by default the user's state folder. Without a real terminal, or with ``TERM=dumb``, the status is
    printed as plain text instead. Raises ``InvalidInput`` for a theme that can't be used.
    """
    from flagconsole.console.terminal import full_screen_possible

    if not full_screen_possible():
        from flagconsole.console.plain import print_status

        return asyncio.run(print_status(url, api_key, sys.stdout))
    app = make_app(
        url,
        api_key,
        readonly=readonly,
        ascii_only=ascii_only,
        theme=theme,
        environment=environment,
        tenant=tenant,
        state_folder=state_folder,
    )
    result = app.run(mouse=mouse)
    return app.return_code or result or 0


def make_app(
    url: str,
    api_key: str,
    *,
    readonly: bool = False,
    ascii_only: bool = False,
    theme: str | None = None,
    environment: str | None = None,
    tenant: str | None = None,
    state_folder: Path | None = None,
) -> ConsoleApp:
    """The console on a server, not yet running. Raises ``InvalidInput`` for a theme that can't be used."""
    from flagconsole.console.app import ConsoleApp, Options
    from flagconsole.console.journal import Journal
    from flagconsole.console.session import Link, as_server

    # An empty NO_COLOR doesn't count (no-color.org); Textual would let it.
    colourless = bool(os.environ.get("NO_COLOR"))
    if not colourless:
        os.environ.pop("NO_COLOR", None)
    palette = load_theme(COLOURLESS_THEME if colourless else theme or DEFAULT_THEME)
    folder = state_folder or _default_state_folder()

    async def connect() -> Link:
        """Load the client beside the event loop, so that keys are answered meanwhile."""

        def load() -> Link:
            from flagconsole.client.http import Client
            from flagconsole.client.stream import Stream
            from flagconsole.domain import requests, views  # noqa: F401 - their models take time to build

            return Link(
                as_server(Client(url, api_key)),
                lambda position: aiter(Stream(url, api_key, include_receipts=True, position=position)),
            )

        return await asyncio.to_thread(load)

    options = Options(
        server=url,
        readonly=readonly,
        environment=environment or "",
        tenant=tenant,
        ascii_only=ascii_only,
        log_folder=folder,
        secrets=(api_key,),
    )
    return ConsoleApp(connect, options, palette, journal=Journal(folder / "journal.db"))


def _default_state_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_state_dir("flagconsole"))
