"""Keeps the view model true: fetches what the server has, then follows its stream, and publishes at most ten times a second.

A gap, a snapshot or another epoch fetches the listing again. Counts that the stream doesn't carry (who runs, who I am) are
asked for every few seconds. A lost connection keeps the data, with its age.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from flagconsole.console import garbage
from flagconsole.console import state as model
from flagconsole.console.cache_parts import INSTANCES, TENANTS
from flagconsole.console.clock import Clock
from flagconsole.console.inflow import Host, Inflow
from flagconsole.console.state import ConsoleState
from flagconsole.domain.errors import FlagConsoleError, ReplicaBehind, Unauthenticated, Unreachable

if TYPE_CHECKING:
    from flagconsole.console.keeper import Keeper
    from flagconsole.console.watcher import Watcher
    from flagconsole.domain.views import FlagListing, HistoryPage, InstanceList, Status, TenantList

#: Seconds between two publications of what the stream brought.
FLUSH: Final = 0.1
#: The same on a slow link.
SLOW_FLUSH: Final = 1.0
#: Seconds between two questions about instances and status.
POLL: Final = 5.0
#: Seconds after which the tenants are fetched again though there are as many as before: what is known of them may be other.
TENANTS_PACE: Final = 300.0
#: Seconds before the first new attempt after a failed fetch; doubled up to the longest.
FIRST_RETRY: Final = 1.0
LONGEST_RETRY: Final = 15.0
HISTORY_PAGE: Final = 200
#: Seconds that the stream has to bring a change of our own, before the listing is fetched for it.
CATCH_UP: Final = 1.0


class Reader(Protocol):
    """What the feed needs of a client."""

    async def status(self) -> Status:
        """The fleet in short, and who I am."""
        ...

    async def flags(self, tenant_id: str | None = None) -> FlagListing:
        """All flags and overrides."""
        ...

    async def instances(self) -> InstanceList:
        """The running SDKs."""
        ...

    async def tenants(self) -> TenantList:
        """The known tenants."""
        ...

    async def history(
        self, flag_name: str | None = None, *, limit: int = 100, before: int | None = None
    ) -> HistoryPage:
        """The changes of one flag, or of all, newest first."""
        ...


#: Opens a stream from a position; each opening is a new iterator of the client's frames.
StreamFactory = Callable[[Callable[[], tuple[str, int] | None]], AsyncIterator[Any]]


class Feed:
    """One connection's worth of keeping up. ``run`` never returns by itself; cancel it."""

    def __init__(
        self,
        client: Reader,
        streams: StreamFactory,
        host: Host,
        clock: Clock,
        keeper: Keeper | None = None,
        watcher: Watcher | None = None,
        flush: float = FLUSH,
    ) -> None:
        self._client = client
        self._keeper = keeper
        self._watcher = watcher
        self._streams = streams
        self._host = host
        self._clock = clock
        self._inflow = Inflow(host, clock, keeper, flush, self._mend)
        self._retry_now = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._head = -1
        #: How many tenants the server said that it knows when they were fetched, and when that was (monotonic).
        self._tenants_known = 0
        self._tenants_at = float("-inf")

    def reconnect(self) -> None:
        """Try again now instead of waiting."""
        self._retry_now.set()
        if self._following is not None:
            self._following.cancel()

    async def run(self) -> None:
        """Follow the server until cancelled."""
        poller = asyncio.create_task(self._poll())
        try:
            while True:
                await self._until_it_works(self.fetch)
                self._following = asyncio.create_task(self._follow())
                try:
                    await self._following
                except asyncio.CancelledError:
                    # Either to begin anew, or this task itself, or both at once: then it ends.
                    own = asyncio.current_task()
                    if not self._retry_now.is_set() or (own is not None and own.cancelling()):
                        raise
        finally:
            poller.cancel()
            if self._following is not None:
                self._following.cancel()
            self._inflow.close()

    async def fetch(self) -> None:
        """Fetch everything that the screens show, and publish it."""
        listing, status, instances, tenants, history = await asyncio.gather(
            self._client.flags(),
            self._client.status(),
            self._client.instances(),
            self._client.tenants(),
            self._client.history(limit=HISTORY_PAGE),
        )
        state, changed = self._with_listing(listing)
        rows = [item.model_dump(mode="json") for item in instances.instances]
        changes = [item.model_dump(mode="json") for item in history.changes]
        state = self._with_tenants(model.with_instances(state, rows), tenants, status)
        state = _with_status(model.with_history(state, changes), status)
        if self._keeper is not None:
            at = self._server_time(state)
            self._keeper.part(INSTANCES, {item["instance_id"]: item for item in rows}, at)
            self._keeper.changes(changes, at)
            self._keeper.status(status.model_dump(mode="json"), state.connection.skew)
        self._inflow.publish(model.heard(state, self._clock.monotonic()), changed)

    def _with_tenants(self, state: ConsoleState, tenants: TenantList, status: Status) -> ConsoleState:
        """The state with these tenants, which are kept."""
        known = [item.model_dump(mode="json") for item in tenants.tenants]
        self._tenants_known, self._tenants_at = status.tenants, self._clock.monotonic()
        if self._keeper is not None:
            self._keeper.part(TENANTS, {item["tenant_id"]: item for item in known}, self._server_time(state))
        return model.with_tenants(state, known)

    async def catch_up(self, epoch: str, revision: int) -> None:
        """Fetch the listing if the stream hasn't brought a change that the server has already answered for."""
        await asyncio.sleep(CATCH_UP)
        if (self._host.state.epoch, self._host.state.revision) < (epoch, revision):
            with suppress(FlagConsoleError, OSError):
                await self._refetch_listing()

    async def _refetch_listing(self) -> None:
        state, changed = self._with_listing(await self._client.flags())
        self._inflow.publish(model.heard(state, self._clock.monotonic()), changed)

    async def _mend(self) -> None:
        """A change didn't follow what is known. Where the listing can't be fetched either, begin anew with the connection."""
        try:
            await self._refetch_listing()
        except (FlagConsoleError, OSError) as error:
            self._lost(problem_text(error), None)
            self.reconnect()

    def _with_listing(self, listing: FlagListing) -> tuple[ConsoleState, frozenset[str]]:
        """The state with a listing, which is kept. Raises ``ReplicaBehind`` for an older one: never back in time."""
        state = self._host.state
        if (listing.epoch, listing.revision) < (state.epoch, state.revision):
            have, want = f"{listing.epoch}:{listing.revision}", f"{state.epoch}:{state.revision}"
            raise ReplicaBehind("What is shown is newer.", have=have, want=want)
        told = listing.model_dump(mode="json")
        state, changed = model.with_listing(state, told, self._clock.time())
        if self._keeper is not None:
            self._keeper.listing(told, self._server_time(state))
        garbage.settle()
        return state, changed

    def _server_time(self, state: ConsoleState) -> float:
        return self._clock.time() + state.connection.skew

    async def _follow(self) -> None:
        """Follow one stream until it breaks in a way that only a fetch can mend."""
        from flagconsole.client import stream as frames

        events = self._streams(self._position)
        self._head = -1
        try:
            async for frame in events:
                if isinstance(frame, frames.ChangeFrame):
                    self._inflow.change(frame.text)
                    continue
                self._inflow.take()
                match frame:
                    case frames.ReceiptFrame(text=text):
                        self._inflow.fold(model.apply_receipt(self._host.state, text))
                    case frames.Heartbeat(revision=revision):
                        # What came before the last heartbeat should be here by now; if not, it was lost on the way.
                        missed, self._head = self._host.state.revision < self._head, revision
                        self._inflow.fold(model.heard(self._host.state, self._clock.monotonic(), revision))
                        self._still_true(revision)
                        if missed:
                            await self._refetch_listing()
                    case frames.Snapshot():
                        await self._refetch_listing()
                    case frames.Connected():
                        if self._host.state.connection.phase is not model.Phase.LIVE:
                            # Who runs and what happened may have moved on while nothing was heard.
                            await self.fetch()
                        if self._watcher is not None:
                            self._watcher.catch_up()
                    case frames.RolloutFrame() | frames.VerdictFrame() | frames.IncidentFrame():
                        if self._watcher is not None:
                            self._inflow.fold(*self._watcher.taken(frame))
                    case frames.Disconnected(problem=problem, retry_in=retry_in):
                        self._lost(problem, retry_in)
        except FlagConsoleError as error:
            self._lost(problem_text(error), None)
        finally:
            close = getattr(events, "aclose", None)
            if close is not None:
                await close()

    def _still_true(self, head: int) -> None:
        """Note in the cache that what is kept was true just now, where nothing newer is known of."""
        if self._keeper is not None and head == self._host.state.revision:
            self._keeper.fresh(self._server_time(self._host.state))

    def _position(self) -> tuple[str, int] | None:
        state = self._host.state
        return (state.epoch, state.revision) if state.loaded else None

    def _lost(self, problem: str, retry_in: float | None) -> None:
        retry_at = None if retry_in is None else self._clock.monotonic() + retry_in
        state = model.offline(self._host.state, problem, retry_at, self._clock.monotonic())
        self._inflow.publish(state)

    async def _until_it_works(self, attempt: Callable[[], Awaitable[None]]) -> None:
        delay = FIRST_RETRY
        while True:
            self._retry_now.clear()
            try:
                await attempt()
            except (FlagConsoleError, OSError) as error:
                wait = delay * random.uniform(0.8, 1.2)  # noqa: S311 - many consoles must not knock in step
                self._lost(problem_text(error), wait)
            else:
                # Whoever asked for another attempt meanwhile has it.
                self._retry_now.clear()
                return
            delay = min(LONGEST_RETRY, delay * 2)
            try:
                await asyncio.wait_for(self._retry_now.wait(), wait)
            except TimeoutError:
                continue

    async def _poll(self) -> None:
        """Ask now and then for what the stream doesn't carry. A failure is the stream's to report."""
        while True:
            await asyncio.sleep(POLL)
            if self._host.state.connection.phase is not model.Phase.LIVE:
                continue
            try:
                instances, status = await asyncio.gather(self._client.instances(), self._client.status())
                # No change of a flag tells that tenants came: whoever is killed for would be counted without them.
                tenants = await self._client.tenants() if self._tenants_are_old(status) else None
            except (FlagConsoleError, OSError):
                continue
            rows = [item.model_dump(mode="json") for item in instances.instances]
            state = self._host.state if tenants is None else self._with_tenants(self._host.state, tenants, status)
            self._inflow.fold(_with_status(model.with_instances(state, rows), status))
            if self._keeper is not None:
                at = self._server_time(self._host.state)
                self._keeper.part(INSTANCES, {item["instance_id"]: item for item in rows}, at)
                self._still_true(status.revision)

    def _tenants_are_old(self, status: Status) -> bool:
        """Whether there are more or fewer tenants than when they were fetched, or that was long ago."""
        return status.tenants != self._tenants_known or self._clock.monotonic() - self._tenants_at > TENANTS_PACE


def problem_text(error: Exception) -> str:
    """What went wrong, short: which server it is about is on screen already."""
    if isinstance(error, ReplicaBehind):
        have, want = (str(error.details.get(name, "")).rpartition(":") for name in ("have", "want"))
        return f"server at rev {have[2]}, behind {want[2]}" if have[0] == want[0] else "server of an older lineage"
    if isinstance(error, Unreachable) and "problem" in error.details:
        return f"can't be reached: {error.details['problem']}"
    if isinstance(error, Unauthenticated):
        return "the server doesn't accept this key: set FLAGCONSOLE_API_KEY to a valid one and start again"
    return str(error) or type(error).__name__


def _with_status(state: ConsoleState, status: Status) -> ConsoleState:
    from flagconsole.domain.role import Role, may

    connection = state.connection._replace(
        environment=status.environment,
        you=status.you.name,
        role=status.you.role.value,
        may_operate=may(status.you.role, Role.OPERATOR),
        may_administer=may(status.you.role, Role.ADMIN),
        server_version=status.server_version,
    )
    return replace(state, connection=connection)
