"""Between the console and its cache: makes a state of what was kept, and keeps what the feed brings.

Every method gives way where the cache can't be used: the console then works without one, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flagconsole.console import cache, watched
from flagconsole.console import state as model
from flagconsole.console.cache import Cached, Json, Unusable
from flagconsole.console.cache_parts import (
    FLAGS,
    HISTORY,
    INCIDENTS,
    INSTANCES,
    METRICS,
    OVERRIDES,
    ROLLOUTS,
    TENANTS,
)
from flagconsole.console.clock import Clock
from flagconsole.console.json_values import whole
from flagconsole.console.state import ConsoleState
from flagconsole.domain.payload import PayloadError

if TYPE_CHECKING:
    from flagconsole.console.cache_writer import CacheWriter


class Facts(NamedTuple):
    """What settings tell of a cache: where it lies, how large it is in bytes (None: there is none), what is wrong, and the
    file that was moved aside, if one is there."""

    path: Path
    size: int | None
    problem: str
    aside: Path | None


class Keeper:
    """The cache of one console. ``said`` is called with what is wrong with it, in words; empty once it is well again."""

    def __init__(self, path: Path, said: Callable[[str], None] = lambda _: None) -> None:
        self.path = path
        self.said = said
        self.problem = ""
        #: What was kept when the console began; None where there was nothing.
        self.cached: Cached | None = None
        self._writer: CacheWriter | None = None

    # at the start

    @property
    def at_once(self) -> bool:
        """Whether reading is quick enough to be done before the first paint."""
        try:
            return self.path.stat().st_size <= cache.READ_AT_ONCE
        except OSError:
            return True

    def recalled(self, state: ConsoleState, clock: Clock) -> ConsoleState:
        """The state with what was kept, but for the tenants; as it was where nothing was, or nothing that can be used."""
        try:
            self.cached = cache.read(self.path, without=TENANTS)
            return state if self.cached is None else recall(state, self.cached, clock)
        except Unusable as error:
            self.cached = None
            aside = f" {cache.move_aside(self.path)}" if error.damaged else ""
            self._say(
                f"the cache {error}{aside}: it begins anew" if aside else f"the cache {error}: nothing from before"
            )
            return state

    def tenants(self) -> ConsoleState | None:
        """A state of nothing but the tenants that were kept: there may be thousands, and the first paint shows none of them. None where
        nothing was kept, or nothing that can be used."""
        if self.cached is None:
            return None
        try:
            return model.with_tenants(ConsoleState(), cache.read_part(self.path, TENANTS))
        except (Unusable, KeyError, TypeError, ValueError, AttributeError):
            return None

    # while it runs

    def listing(self, listing: Json, at: float) -> None:
        """All flags and overrides, fetched at ``at`` (server's time)."""
        self._writing().listing(listing, at)

    def events(self, events: Iterable[Json], at: float) -> None:
        """Changes that the stream brought and that were applied, in their order."""
        self._writing().events(events, at)

    def changes(self, changes: Iterable[Json], at: float = 0.0) -> None:
        """Entries of the log; ``at`` where they are the newest ones."""
        self._writing().changes(changes, at)

    def part(self, name: str, items: Mapping[str, Json | None], at: float, *, whole: bool = True) -> None:
        """Another part by its items' keys: all of them, or (not ``whole``) some."""
        self._writing().items(name, items, at, whole=whole)

    def fresh(self, at: float) -> None:
        """What the stream keeps up to date is still true at ``at``."""
        self._writing().fresh((FLAGS, HISTORY, INSTANCES), at)

    def status(self, status: Json, skew: float) -> None:
        """Who the user is here and how the environment is called, for the bar of the next start."""
        self._writing().meta(status=status, skew=skew)

    def seen(self, epoch: str, revision: int) -> None:
        """The user has looked at everything up to this position."""
        self._writing().meta(seen=[epoch, revision])

    def flush(self) -> None:
        """Write what is pending now; waits for a second at most."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Write what is pending, for a second at most."""
        if self._writer is not None:
            self._writer.close()

    def facts(self) -> Facts:
        """How the cache stands."""
        try:
            size: int | None = self.path.stat().st_size
        except OSError:
            size = None
        aside = cache.aside_of(self.path)
        return Facts(self.path, size, self.problem, aside if aside.exists() else None)

    def forget(self) -> str:
        """Remove what was kept. Returns what became of it, in words."""
        self.close()
        self._writer = None
        try:
            for companion in ("", "-wal", "-shm", ".broken"):
                self.path.with_name(self.path.name + companion).unlink(missing_ok=True)
        except OSError as error:
            return f"the cache can't be removed ({error.strerror})"
        self._say("")
        return "the cache was removed; it begins anew with the next answer of the server"

    def _writing(self) -> CacheWriter:
        if self._writer is None:
            from flagconsole.console.cache_writer import CacheWriter

            self._writer = CacheWriter(self.path, self._written)
        return self._writer

    def _written(self, problem: str) -> None:
        self._say(f"the cache {problem}: what is shown now isn't kept" if problem else "")

    def _say(self, problem: str) -> None:
        self.problem = problem
        self.said(problem)


def recall(state: ConsoleState, cached: Cached, clock: Clock) -> ConsoleState:
    """The state with what a cache holds, as old as it is. Raises ``Unusable`` for what can't be understood."""
    listing = {
        "epoch": cached.epoch,
        "revision": cached.revision,
        "flags": cached.part(FLAGS),
        "overrides": cached.part(OVERRIDES),
    }
    try:
        state, _ = model.with_listing(state, listing, 0.0)
        state = model.with_instances(state, cached.part(INSTANCES))
        state = model.with_history(state, cached.changes)
        state = watched.with_rollouts(state, cached.part(ROLLOUTS))
        if cached.part(INCIDENTS):
            from flagconsole.console.watched_incidents import with_incidents

            state = with_incidents(state, cached.part(INCIDENTS))
        for item in cached.part(METRICS):
            state = watched.with_metrics(state, item, whole(item.get("window")))
        connection = _with_status(state.connection, cached.status)
    except (PayloadError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unusable(f"holds what can't be understood ({type(error).__name__})", damaged=True) from None
    # Of an age that can't be right (somebody has set a clock back) it is better to know nothing.
    age = clock.time() + cached.skew - cached.fetched_at.get(FLAGS, 0.0)
    connection = connection._replace(
        skew=cached.skew, recalled=True, fresh_at=clock.monotonic() - age if age >= 0 else None
    )
    seen = cached.seen[1] if cached.seen is not None and cached.seen[0] == cached.epoch else None
    known = dict(cached.fetched_at)
    return replace(state, connection=connection, fetched_at=known, seen=seen, caught_up=ROLLOUTS in known)


def _with_status(connection: model.Connection, status: Json) -> model.Connection:
    """Who the user was. What they may do isn't taken from a file: the server says it when it is reached."""
    you = status.get("you")
    if not isinstance(you, Mapping):
        return connection
    return connection._replace(
        environment=str(status.get("environment") or connection.environment),
        you=str(you.get("name") or ""),
        role=str(you.get("role") or ""),
        server_version=str(status.get("server_version") or ""),
    )
