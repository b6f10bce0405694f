"""Writers that wait for one another share a commit, which costs more than what most of them write.

The transaction of one writer is left open for the next one that waits, if both say that they are short. Each has a savepoint of its own, so
that what one is refused takes nothing from the others, and none is told anything before what all of them wrote is durable. A kill
shares with nobody: whoever is before it commits at once, and so does it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Protocol

from flagconsole.domain.errors import OutcomeUnknown, StoreUnavailable
from flagconsole.store.own_commits import OwnCommits
from flagconsole.store.protocol import Head, StoredEvent
from flagconsole.store.sql_transaction import SqlTransaction
from flagconsole.store.write_gate import WriteGate

#: Writers that share a commit, and seconds after which it isn't left open for another one: nobody waits longer for those behind.
MOST: Final = 32
LONGEST: Final = 0.02


class Opened(Protocol):
    """A backend's open transaction."""

    def first(self) -> SqlTransaction:
        """What its first writer writes with."""

    async def another(self, head: Head | None) -> SqlTransaction:
        """What a further one writes with; ``head`` is where the one before it left off, where that is known."""

    async def undo(self) -> None:
        """Take back what a further one wrote, and leave what those before it did. Raises where all is lost."""

    async def commit(self) -> None:
        """Make it durable, however often whoever waits is cancelled. Raises ``StoreUnavailable`` or ``OutcomeUnknown``."""

    async def abandon(self) -> None:
        """Roll all of it back."""


class _Group:
    """An open transaction, and who waits for its end."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.head: Head | None = None
        self.events: list[tuple[str, StoredEvent]] = []
        self.count = 1
        self.begun = time.monotonic()
        self.waiting: list[asyncio.Future[None]] = []

    def wait(self) -> asyncio.Future[None]:
        """Its end, which others bring about. Each who waits has it for itself: one that gives up takes nothing from the others."""
        end = asyncio.get_running_loop().create_future()
        self.waiting.append(end)
        return end

    def end(self, error: Exception | None) -> None:
        """Tell who waits that all is durable, or why nothing is."""
        for end in self.waiting:
            if end.done():
                continue
            if error is None:
                end.set_result(None)
            else:
                end.set_exception(error)
                end.exception()  # whoever waited may have given up


class GroupCommit:
    """The writers of one store. ``open`` begins a transaction; ``hurried`` tells whether somebody waits whom the gate doesn't know;
    ``own`` gets what was committed."""

    def __init__(
        self,
        gate: WriteGate,
        open_: Callable[[], Awaitable[Opened]],
        own: OwnCommits,
        hurried: Callable[[], bool] = lambda: False,
    ) -> None:
        self._gate = gate
        self._open = open_
        self._own = own
        self._hurried = hurried
        self._group: _Group | None = None
        self._ending: asyncio.Task[None] | None = None
        gate.on_given_up = self._given_up

    @asynccontextmanager
    async def write(self, *, urgent: bool, shares: bool) -> AsyncIterator[SqlTransaction]:
        """One writer's part: durable when the block has ended without an error."""
        await self._gate.enter(urgent=urgent, shares=shares)
        group, transaction = await self._begun()
        try:
            yield transaction
            if shares and not self._gate.somebody_waits():
                # Those who were told of the commit before ask again in this turn of the loop, behind this one: it would commit alone,
                # and all of them a moment later.
                await asyncio.sleep(0)
        except BaseException as error:
            await self._left(group, transaction, shares=shares, failed=error)
            raise
        await self._left(group, transaction, shares=shares)

    async def _begun(self) -> tuple[_Group, SqlTransaction]:
        group = self._group
        if group is None:
            try:
                opened = await self._open()
            except BaseException:
                self._gate.leave()
                raise
            group = self._group = _Group(opened)
            return group, opened.first()
        try:
            group.count += 1
            return group, await group.opened.another(group.head)
        except BaseException as error:
            await self._abandoned(group, error)
            raise

    async def _left(
        self, group: _Group, transaction: SqlTransaction, *, shares: bool, failed: BaseException | None = None
    ) -> None:
        """A writer has ended its part: hand the transaction on, or commit it. Returns when it is durable, so that nobody is refused
        either for what then isn't."""
        if failed is None and not transaction.discarded:
            group.head = transaction.known_head
            group.events += transaction.events
        elif group.count == 1:
            await self._abandoned(group, None)
            return
        else:
            try:
                await group.opened.undo()
            except BaseException as error:
                await self._abandoned(group, failed or error)
                if failed is None:
                    raise
                return
        if shares and self._takes_another(group):
            waiting = group.wait()
            self._gate.leave()
            await waiting
            return
        if not group.waiting:
            await self._commit(group)
            return
        # Others wait for it too, whatever becomes of this one.
        waiting = group.wait()
        self._commit_for_others(group)
        await waiting

    def _takes_another(self, group: _Group) -> bool:
        due = group.count >= MOST or time.monotonic() - group.begun > LONGEST
        return not due and not self._hurried() and self._gate.next_shares()

    async def _commit(self, group: _Group) -> None:
        """Whoever waits gets the error; so does the caller."""
        error: Exception | None = OutcomeUnknown("Read it back.", problem="the wait for a commit was broken off")
        try:
            await group.opened.commit()
            error = None
            self._own.add(group.events)
        except Exception as failed:
            error = failed
            raise
        finally:
            self._end(group, error)

    def _commit_for_others(self, group: _Group) -> None:
        async def commit() -> None:
            with suppress(Exception):  # those who wait are told
                await self._commit(group)

        self._ending = asyncio.get_running_loop().create_task(commit())

    async def _abandoned(self, group: _Group, because: BaseException | None) -> None:
        told = None if because is None else StoreUnavailable("Ask again.", problem=f"a shared commit failed: {because}")
        try:
            await group.opened.abandon()
        finally:
            self._end(group, because if isinstance(because, StoreUnavailable) else told)

    def _end(self, group: _Group, error: Exception | None) -> None:
        self._group = None
        group.end(error)
        self._gate.leave()

    def _given_up(self) -> None:
        """The writer whose turn came is gone. Those before it wait for their commit."""
        if self._group is None:
            self._gate.leave()
            return
        self._commit_for_others(self._group)
