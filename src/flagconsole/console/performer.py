"""Drives one action with the server: journal, request, answer, and the questions asked when no answer came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from flagconsole.console import actions
from flagconsole.console.actions import Action, Stage
from flagconsole.console.clock import Clock
from flagconsole.console.reading_back import Recorder, read_back
from flagconsole.console.sending import Changer, send
from flagconsole.domain.errors import FlagConsoleError

if TYPE_CHECKING:
    from flagconsole.console.journal import Journal

#: An unknown outcome is asked for again with the same key for so long; after that it is only read back.
ASK_AGAIN_SECONDS: Final = 60.0
#: A request that isn't in the log so many seconds after it was sent won't get there any more.
SETTLING: Final = 15.0
#: Seconds between two questions.
ASK_EVERY: Final = 1.0

#: Errors after which the change may have been made: a proxy or a server failed somewhere on the way.
_OPEN: Final = frozenset({"outcome_unknown", "unexpected_answer", "internal"})


class Server(Changer, Recorder, Protocol):
    """What the performer needs of a client."""


class Performer:
    """Performs actions. ``report`` is called with each new stage; ``position`` gives the store's epoch and revision."""

    def __init__(
        self,
        client: Server,
        journal: Journal | None,
        clock: Clock,
        server: str,
        position: Callable[[], tuple[str, int]],
        report: Callable[[Action], None],
        ask_every: float = ASK_EVERY,
    ) -> None:
        self._client = client
        self._journal = journal
        self._clock = clock
        self._server = server
        self._position = position
        self._report = report
        self._ask_every = ask_every
        #: Why the journal couldn't be written; empty while it can.
        self.journal_problem = ""

    async def perform(self, action: Action) -> Action:
        """See an action through until the server has answered for it. Returns it accepted, rejected or unknown.

        A journal that can't be written doesn't stop anybody from stopping an incident: it is reported and passed over.
        """
        epoch, revision = self._position()
        action = replace(action, base_revision=revision)
        self._report(action)
        await self._write(lambda journal: journal.record(action, self._server, epoch))
        first_asked = self._clock.monotonic()
        while True:
            action = actions.sent(action, self._clock.monotonic())
            self._report(action)
            action = await self._ask(action)
            self._report(action)
            if action.stage is not Stage.UNKNOWN:
                break
            if self._clock.monotonic() - first_asked > ASK_AGAIN_SECONDS:
                action = await self.read_back(action, epoch)
                self._report(action)
                break
            await asyncio.sleep(self._ask_every)
        settled = action
        await self._write(lambda journal: journal.settle(settled))
        return action

    async def read_back(self, action: Action, base_epoch: str) -> Action:
        """What became of an action whose answer is missing, from the store's log alone."""
        try:
            return await read_back(self._client, action, base_epoch, self._clock.monotonic())
        except Exception as error:
            return actions.unknown(action, f"can't be read back: {_text(error)}")

    async def read_back_earlier(self) -> None:
        """Report what became of the actions that an earlier console left without an answer."""
        if self._journal is None:
            return
        try:
            found = await asyncio.to_thread(self._journal.unresolved, self._server)
        except Exception as error:
            self.journal_problem = _text(error)
            return
        for action, base_epoch in found:
            resolved = await self.read_back(action, base_epoch)
            waiting = action.begun_at + SETTLING - self._clock.time()
            if resolved.stage is Stage.REJECTED and 0 < waiting <= SETTLING:
                # Its request may still be on the way: absence so soon proves nothing.
                self._report(actions.unknown(action, "not in the store's log yet; looking again"))
                await asyncio.sleep(waiting)
                resolved = await self.read_back(action, base_epoch)
            self._report(resolved)
            if resolved.stage is not Stage.UNKNOWN:
                await self._write(lambda journal, settled=resolved: journal.settle(settled))  # type: ignore[misc]

    async def _ask(self, action: Action) -> Action:
        try:
            answer = await send(self._client, action)
        except FlagConsoleError as error:
            if outcome_is_unknown(error) or (action.stage is Stage.UNKNOWN and error.status == 503):
                return actions.unknown(action, str(error))
            return actions.rejected(action, str(error))
        except Exception as error:
            # The request may have left: whatever went wrong here says nothing about what the server did.
            return actions.unknown(action, _text(error))
        now = self._clock.monotonic()
        return actions.accepted(action, now, answer.epoch, answer.revision, changed=answer.changed, after=answer.after)

    async def _write(self, write: Callable[[Journal], None]) -> None:
        if self._journal is None:
            return
        try:
            await asyncio.to_thread(write, self._journal)
            self.journal_problem = ""
        except Exception as error:
            self.journal_problem = _text(error)


def outcome_is_unknown(error: FlagConsoleError) -> bool:
    """Whether an error leaves open if the request took effect."""
    return error.code in _OPEN


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
