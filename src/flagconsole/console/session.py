"""One console's dealings with its server: loads the client, follows the stream, performs actions, answers questions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from flagconsole.console import state as model
from flagconsole.console.state import Phase
from flagconsole.domain.errors import FlagConsoleError

if TYPE_CHECKING:
    # Imported when the server is first dealt with: the first paint doesn't wait for them.
    from flagconsole.console.actions import Action
    from flagconsole.console.app import ConsoleApp
    from flagconsole.console.feed import Feed, Reader, StreamFactory
    from flagconsole.console.journal import Journal
    from flagconsole.console.performer import Performer
    from flagconsole.console.performer import Server as ActionServer
    from flagconsole.console.questions import Answerer, Questions
    from flagconsole.console.rows import Json
    from flagconsole.console.watcher import RolloutReader

    class Server(Reader, ActionServer, RolloutReader, Answerer, Protocol):
        """What the console needs of a client."""

        async def aclose(self) -> None:
            """Close all connections."""
            ...


class Link(NamedTuple):
    """The way to a server, once its code is loaded."""

    client: Server
    streams: StreamFactory


#: Gives the link; awaited after the first paint.
Connect = Callable[[], Awaitable[Link]]


class Session:
    """Belongs to one app, for as long as that runs."""

    def __init__(self, app: ConsoleApp, connect: Connect, server: str, journal: Journal | None) -> None:
        self._app = app
        self._connect = connect
        self._server = server
        self._journal = journal
        self._link: Link | None = None
        self._feed: Feed | None = None
        self._performer: Performer | None = None
        self._first_contact = asyncio.Event()
        self._questions: Questions | None = None

    @property
    def questions(self) -> Questions:
        """What is asked of the server now and then."""
        if self._questions is None:
            from flagconsole.console.questions import Questions

            self._questions = Questions(lambda: None if self._link is None else self._link.client, self._keep_changes)
        return self._questions

    async def run(self) -> None:
        """Load the client, then follow the server until cancelled."""
        app = self._app
        try:
            link = self._link = await self._connect()
        except FlagConsoleError as error:
            app.publish(model.offline(app.present.state, str(error), None, app.clock.monotonic()), frozenset())
            return
        from flagconsole.console.feed import FLUSH, SLOW_FLUSH, Feed
        from flagconsole.console.performer import Performer
        from flagconsole.console.watcher import Watcher

        self._performer = Performer(
            link.client,
            self._journal,
            app.clock,
            self._server,
            lambda: (app.present.state.epoch, app.present.state.revision),
            app.report,
        )
        watcher = Watcher(link.client, app.present, app.clock, app.keeper)
        flush = SLOW_FLUSH if app.slow_link else FLUSH
        self._feed = Feed(link.client, link.streams, app.present, app.clock, app.keeper, watcher, flush)
        app.run_worker(self._read_back(self._performer))
        app.run_worker(watcher.run())
        try:
            await self._feed.run()
        finally:
            with suppress(Exception):
                await link.client.aclose()

    def contacted(self) -> None:
        """The server has answered."""
        self._first_contact.set()

    def reconnect(self) -> None:
        """Try the connection now."""
        if self._feed is not None:
            self._feed.reconnect()

    def begin(self, action: Action) -> None:
        """Begin an action that was confirmed. Without a live connection it is refused, never kept for later."""
        performer, app = self._performer, self._app
        if performer is None or not app.powers().operate:
            from flagconsole.console.actions import rejected

            lost = app.state.connection.phase is not Phase.LIVE
            why = "the connection is lost, and nothing is queued" if lost else "it isn't allowed any more"
            app.report(rejected(action, f"not sent: {why}"))
            return
        app.report(action)
        app.run_worker(self._perform(performer, action), group="actions")

    async def _perform(self, performer: Performer, action: Action) -> None:
        from flagconsole.console.actions import Stage

        done = await performer.perform(action)
        self._say_trouble(performer)
        if done.stage is Stage.ACCEPTED and self._feed is not None:
            await self._feed.catch_up(done.epoch, done.revision)

    async def _read_back(self, performer: Performer) -> None:
        """Once the server answers, see what became of the actions of an earlier console."""
        await self._first_contact.wait()
        await performer.read_back_earlier()
        self._say_trouble(performer)

    def _keep_changes(self, changes: list[Json]) -> None:
        if self._app.keeper is not None:
            self._app.keeper.changes(changes)

    def _say_trouble(self, performer: Performer) -> None:
        self._app.trouble = "journal not written" if performer.journal_problem else ""
        self._app.paint()


def as_server(client: object) -> Server:
    """A client as what the console needs of it."""
    return cast("Server", client)
