"""Writes the console's cache, in a thread of its own, a few times a second at most.

What comes in is collected and merged, so that a slow disk costs memory for the newest values only; what couldn't be written
is tried again with what came after it. The file never goes back: not by an older listing, not by another console that is
behind this one.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flagconsole.console import cache
from flagconsole.console.cache import Json, Unusable
from flagconsole.console.cache_parts import COHORTS, FLAGS, HISTORY, OVERRIDES
from flagconsole.console.rows import setting_of
from flagconsole.domain.payload import COHORT_FIELDS

if TYPE_CHECKING:
    from sqlite_utils import Database

#: Seconds between two writes, and before another attempt after a failed one.
PAUSE: Final = 0.5
RETRY: Final = 5.0
#: Seconds that closing waits for the last write.
LAST_WRITE: Final = 1.0
#: Changes that are kept.
MOST_CHANGES: Final = 20_000

#: The parts that belong to one position and are written together or not at all.
_OF_FLAGS: Final = frozenset({FLAGS, COHORTS, OVERRIDES})

#: Between the two parts of an override's key; neither a flag nor a tenant can hold it.
_BETWEEN: Final = "\0"


class Told(NamedTuple):
    """A flag as an event told it: without its newest change, which is the event's own. Put together when it is written, since of a
    thousand a second only the newest of each flag ever is."""

    flag: Json
    change: Json

    @property
    def body(self) -> Json:
        """The flag as a listing tells it."""
        return {**_bare(self.flag), "last_change": _short(self.change)}


@dataclass
class Part:
    """New items of a part; ``whole`` where they are all there are. None stands for one that is gone."""

    whole: bool = False
    fetched_at: float = 0.0
    items: dict[str, Json | Told | None] = field(default_factory=dict)

    def take(self, other: Part) -> None:
        """Become this one and then the other, which belongs to this one from now on."""
        if other.whole:
            self.whole, self.fetched_at, self.items = True, other.fetched_at, other.items
            return
        # An archived flag takes its overrides along.
        gone = tuple(key for key, body in other.items.items() if body is None and key.endswith(_BETWEEN))
        if gone:
            self.items = {key: body for key, body in self.items.items() if not key.startswith(gone)}
        self.fetched_at = max(self.fetched_at, other.fetched_at)
        self.items.update(other.items)


@dataclass
class Pending:
    """What is to be written. The flags of ``epoch`` are those of ``revision`` if the file has at least ``base``."""

    epoch: str = ""
    base: int = -1
    revision: int = -1
    parts: dict[str, Part] = field(default_factory=dict)
    changes: dict[tuple[str, int], Json] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)

    def part(self, name: str) -> Part:
        """The pending part of that name."""
        return self.parts.setdefault(name, Part())

    def take(self, other: Pending) -> None:
        """Become this one and then the other, but for flags that are older than those of this one. The other belongs to this
        one from now on."""
        parts = other.parts
        if other.revision >= 0 and (other.epoch, other.revision) < (self.epoch, self.revision):
            parts = {name: part for name, part in parts.items() if name not in _OF_FLAGS}
        elif other.revision >= 0:
            whole_flags = FLAGS in parts and parts[FLAGS].whole
            self.base = other.base if whole_flags or self.revision < 0 else self.base
            self.epoch, self.revision = other.epoch, other.revision
        for name, part in parts.items():
            if name in self.parts:
                self.parts[name].take(part)
            else:
                self.parts[name] = part
        self.changes.update(other.changes)
        self.meta.update(other.meta)


class CacheWriter:
    """The writer of one cache file. Its methods take what the server said; none of them waits or raises.

    ``said`` is called in the writer's thread with what is wrong with the file, in words, empty once it is well again.
    """

    def __init__(self, path: Path, said: Callable[[str], None] = lambda _: None, pause: float = PAUSE) -> None:
        self.path = path
        self._said = said
        self._pause = pause
        self._pending = Pending()
        self._wake = threading.Condition()
        self._closing = False
        self._hurrying = False
        self._idle = True
        self._thread: threading.Thread | None = None
        self._problem = ""
        #: Batches written so far, for whoever waits for one.
        self.written = 0

    # what the server said

    def listing(self, listing: Json, fetched_at: float) -> None:
        """All flags and overrides, as of the listing's position."""
        with self._wake:
            new = Pending(str(listing["epoch"]), int(listing["revision"]), int(listing["revision"]))
            new.parts[FLAGS] = Part(True, fetched_at, {item["flag_name"]: _bare(item) for item in listing["flags"]})
            new.parts[COHORTS] = Part(True, fetched_at, {item["flag_name"]: _cohort(item) for item in listing["flags"]})
            new.parts[OVERRIDES] = Part(True, fetched_at, {_key(item): item for item in listing["overrides"]})
            self._take(new)

    def events(self, events: Iterable[Json], fetched_at: float) -> None:
        """Changes that were applied on top of what came before, in their order."""
        with self._wake:
            new = _pending_of(events, fetched_at)
            if new.changes:
                self._take(new)

    def changes(self, changes: Iterable[Json], fetched_at: float = 0.0) -> None:
        """Entries of the log; ``fetched_at`` where they are the newest ones."""
        with self._wake:
            new = Pending()
            new.changes = {(str(item["epoch"]), int(item["change_id"])): item for item in changes}
            new.parts[HISTORY] = Part(False, fetched_at)
            self._take(new)

    def items(self, part: str, items: Mapping[str, Json | None], fetched_at: float, *, whole: bool = True) -> None:
        """The items of another part by their keys: all of them, or (not ``whole``) some; None for one that is gone."""
        with self._wake:
            self._take(Pending(parts={part: Part(whole, fetched_at, dict(items))}))

    def fresh(self, parts: Iterable[str], at: float) -> None:
        """These parts are still true at ``at`` (server's seconds since the epoch)."""
        with self._wake:
            self._take(Pending(parts={part: Part(False, at) for part in parts}))

    def meta(self, **values: Any) -> None:
        """Small facts: ``status``, ``skew``, ``seen``."""
        with self._wake:
            self._take(Pending(meta={name: json.dumps(value) for name, value in values.items()}))

    def flush(self) -> None:
        """Write what is pending now, and wait for it within ``LAST_WRITE`` seconds."""
        with self._wake:
            self._hurrying = True
            self._wake.notify_all()
            self._wake.wait_for(lambda: self._idle and self._pending == Pending(), LAST_WRITE)
            self._hurrying = False

    def close(self) -> None:
        """Write what is pending, within ``LAST_WRITE`` seconds."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(LAST_WRITE)

    def _take(self, new: Pending) -> None:
        self._pending.take(new)
        self._woken()

    def _woken(self) -> None:
        if self._thread is None and not self._closing:
            # A daemon: a disk that hangs must not keep the console from ending.
            self._thread = threading.Thread(target=self._run, name="flagconsole-cache", daemon=True)
            self._thread.start()
        self._wake.notify_all()

    # the thread

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._pending != Pending())
                taken, self._pending = self._pending, Pending()
                closing, self._idle = self._closing, False
            problem = self._attempt(taken) if taken != Pending() else self._problem
            if problem != self._problem:
                self._problem = problem
                self._said(problem)
            with self._wake:
                if problem:
                    taken.take(self._pending)
                    self._pending = taken
                self._idle = True
                self._wake.notify_all()
            if closing:
                return
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._hurrying, RETRY if problem else self._pause)

    def _attempt(self, taken: Pending) -> str:
        """Write; returns what is wrong, in words."""
        try:
            self._write(taken)
        except Unusable as error:
            if not error.damaged:
                return str(error)
            aside = cache.move_aside(self.path)
            try:
                self._write(taken)
            except (Unusable, sqlite3.Error, OSError):
                return f"{error} {aside}"
            return ""
        except sqlite3.Error as error:
            return str(cache.unusable(error))
        except OSError as error:
            return f"can't be written ({error.strerror})"
        return ""

    def _write(self, taken: Pending) -> None:
        cache.check_owner(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here, so that it never exists with wider rights than the owner's.
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        with contextlib.closing(sqlite3.connect(self.path, timeout=2.0, isolation_level=None)) as db:
            try:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("BEGIN IMMEDIATE")
                _prepare(db)
                _store(db, taken)
                db.execute("COMMIT")
            except sqlite3.Error as error:
                raise cache.unusable(error) from None
        self.written += 1


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables in a new file; refuse another program's."""
    if not cache.is_new(db):
        cache.check_version(db)
        return
    import sqlite_utils

    tables: Database = sqlite_utils.Database(db, execute_plugins=False)
    tables.create_table("meta", {"name": str, "value": str}, pk="name")
    tables.create_table("parts", {"part": str, "fetched_at": float}, pk="part")
    tables.create_table("items", {"part": str, "key": str, "body": str}, pk=("part", "key"))
    tables.create_table("changes", {"epoch": str, "change_id": int, "body": str}, pk=("epoch", "change_id"))
    db.execute(f"PRAGMA application_id = {cache.APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {cache.SCHEMA}")


def _store(db: sqlite3.Connection, taken: Pending) -> None:
    known = dict(db.execute("SELECT name, value FROM meta WHERE name IN ('epoch', 'revision')"))
    stored = (str(known.get("epoch", "")), int(known.get("revision", -1)))
    skipped = frozenset[str]()
    if taken.revision >= 0:
        new = (taken.epoch, taken.revision)
        follows = taken.parts[FLAGS].whole or (stored[0] == taken.epoch and taken.base <= stored[1])
        if new >= stored and follows:
            values = [("epoch", taken.epoch), ("revision", str(taken.revision))]
            db.executemany("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", values)
            if stored[0] != taken.epoch:
                # Another lineage: what was kept of the old one must not be mixed in.
                db.execute("DELETE FROM changes WHERE epoch != ?", (taken.epoch,))
        else:
            skipped = _OF_FLAGS
    for name, part in taken.parts.items():
        if name not in skipped:
            _store_part(db, name, part)
    lineage = taken.epoch or stored[0]
    rows = [(epoch, number, _dump(body)) for (epoch, number), body in taken.changes.items() if epoch >= lineage]
    if rows:
        db.executemany("INSERT OR REPLACE INTO changes (epoch, change_id, body) VALUES (?, ?, ?)", rows)
        db.execute(
            "DELETE FROM changes WHERE change_id <= (SELECT max(change_id) FROM changes WHERE epoch = ?) - ?",
            (lineage, MOST_CHANGES),
        )
    db.executemany("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", list(taken.meta.items()))


def _store_part(db: sqlite3.Connection, name: str, part: Part) -> None:
    if part.whole:
        db.execute("DELETE FROM items WHERE part = ?", (name,))
    for key in [key for key, body in part.items.items() if body is None]:
        if name == OVERRIDES and key.endswith(_BETWEEN):
            db.execute("DELETE FROM items WHERE part = ? AND key >= ? AND key < ?", (name, key, key[:-1] + "\x01"))
        else:
            db.execute("DELETE FROM items WHERE part = ? AND key = ?", (name, key))
    rows = [(name, key, _dump(body)) for key, body in part.items.items() if body is not None]
    db.executemany("INSERT OR REPLACE INTO items (part, key, body) VALUES (?, ?, ?)", rows)
    if part.fetched_at:
        db.execute(
            "INSERT INTO parts (part, fetched_at) VALUES (?, ?)"
            " ON CONFLICT (part) DO UPDATE SET fetched_at = max(fetched_at, excluded.fetched_at)",
            (name, part.fetched_at),
        )


def _dump(body: Json | Told) -> str:
    return json.dumps(body.body if isinstance(body, Told) else body, separators=(",", ":"))


def _pending_of(events: Iterable[Json], fetched_at: float) -> Pending:
    """What changes make to be written, in their order."""
    new = Pending()
    flags, cohorts, overrides = (Part(False, fetched_at) for _ in range(3))
    for event in events:
        change, flag, override = event["change"], event.get("flag"), event.get("override")
        name, tenant, revision = change["flag_name"], change.get("tenant_id"), int(event["revision"])
        if new.revision < 0:
            new.base = revision - 1
        new.epoch, new.revision = str(event["epoch"]), revision
        flags.items[name] = None if flag is None else Told(flag, change)
        if flag is None or not COHORT_FIELDS.isdisjoint(flag):
            cohorts.items[name] = None if flag is None else _cohort(flag)
        if tenant is not None:
            overrides.items[f"{name}{_BETWEEN}{tenant}"] = override
        elif flag is None:
            overrides.take(Part(items={f"{name}{_BETWEEN}": None}))
        new.changes[(new.epoch, int(change["change_id"]))] = change
    new.parts = {FLAGS: flags, HISTORY: Part(False, fetched_at)}
    new.parts |= {name: part for name, part in ((COHORTS, cohorts), (OVERRIDES, overrides)) if part.items}
    return new


def _bare(flag: Json) -> Json:
    return {name: value for name, value in flag.items() if name not in COHORT_FIELDS}


def _cohort(flag: Json) -> Json:
    return {name: value for name, value in flag.items() if name in COHORT_FIELDS}


def _key(override: Json) -> str:
    return f"{override['flag_name']}{_BETWEEN}{override['tenant_id']}"


def _short(change: Json) -> Json:
    """A change as a flag carries its newest one."""
    before, after = change.get("previous") or {}, change.get("new") or {}
    return {
        **{
            name: change.get(name)
            for name in ("change_id", "action", "change_type", "change_reason", "changed_by", "changed_at", "tenant_id")
        },
        "previous_state": before.get("current_state", before.get("override_state")),
        "new_state": after.get("current_state", after.get("override_state")),
        "previous_setting": setting_of(before),
        "new_setting": setting_of(after),
    }
