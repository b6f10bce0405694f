"""The console's cache: what a server last said, kept for the next start and for when there is no connection.

One SQLite file (0600) for each server and key. This module reads it, at the start of the console, with nothing but the
standard library; ``cache_writer`` writes it. Everything in it is text from outside, like an answer of the server.

A file that can't be used is never the end of the console: one that is damaged or of another version is moved aside, one
that is locked, unreadable or somebody else's is passed over, and either is said.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from flagconsole.console.cache_parts import COHORTS, FLAGS

#: Marks a file as ours (``PRAGMA application_id``: "fcco") and of this layout (``PRAGMA user_version``).
APPLICATION_ID: Final = 0x6663636F
SCHEMA: Final = 1

#: Seconds to wait for another console that is writing. The first paint waits for this, so it is short.
LOCK_SECONDS: Final = 0.25
#: A larger file is read after the first paint.
READ_AT_ONCE: Final = 3_000_000

#: The cohort of a flag that has none: whoever evaluates it needs to see that there is none.
_BY_HASH: Final[Mapping[str, Any]] = {"canary_tenant_ids": [], "canary_holdout_ids": None}
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})

Json = Mapping[str, Any]


class Cached(NamedTuple):
    """What a cache holds. ``fetched_at`` gives for each part the server's time (seconds since the epoch) at which it was
    known to be true; ``skew`` is server time minus this machine's; ``seen`` is the position that the user has looked at."""

    epoch: str
    revision: int
    fetched_at: Mapping[str, float]
    items: Mapping[str, tuple[Json, ...]]
    changes: tuple[Json, ...]
    status: Json
    skew: float
    seen: tuple[str, int] | None

    def part(self, name: str) -> tuple[Json, ...]:
        """The items of one part; empty where nothing was kept."""
        return self.items.get(name, ())


class Unusable(Exception):
    """A cache that can't be used, and why, in words for the user. ``damaged`` ones are moved aside."""

    def __init__(self, words: str, *, damaged: bool = False) -> None:
        super().__init__(words)
        self.damaged = damaged


def cache_path(folder: Path, server: str, api_key: str) -> Path:
    """The file for a server and a key. The name gives away neither; what a tenant's key sees is never shown to another."""
    name = hashlib.sha256(f"{server.rstrip('/')}\0{api_key}".encode("utf-8", "replace")).hexdigest()[:24]
    return folder / f"console-{name}.db"


def fingerprint(api_key: str) -> str:
    """A short name for a key, by which people can tell two apart without seeing either."""
    return hashlib.sha256(f"flagconsole key\0{api_key}".encode("utf-8", "replace")).hexdigest()[:8]


def check_owner(path: Path) -> None:
    """Raise ``Unusable`` for a file that isn't the user's own; take away rights that others have on one that is."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise Unusable(f"can't be looked at ({error.strerror})") from None
    if not stat.S_ISREG(found.st_mode):
        raise Unusable("is not a plain file")
    if found.st_uid != os.geteuid():
        raise Unusable("belongs to somebody else")
    if stat.S_IMODE(found.st_mode) & 0o077:
        with contextlib.suppress(OSError):
            path.chmod(0o600)


def read(path: Path, without: str = "") -> Cached | None:
    """What the cache holds, but for one part where ``without`` names it; None where there is none yet. Raises ``Unusable``."""
    check_owner(path)
    if not path.exists() or not path.stat().st_size:
        return None
    try:
        with contextlib.closing(_open(path)) as db:
            if is_new(db):
                return None
            check_version(db)
            return _read(db, without)
    except sqlite3.Error as error:
        raise unusable(error) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unusable("holds what can't be understood", damaged=True) from None


def is_new(db: sqlite3.Connection) -> bool:
    """Whether nothing is in the file yet: a console that was killed while it made it may leave such a one."""
    return bool(db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,))


def check_version(db: sqlite3.Connection) -> None:
    """Raise ``Unusable`` for a file of another program or of another version."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise Unusable("is a file of another program", damaged=True)
    if version != SCHEMA:
        raise Unusable(f"is of version {version}, not {SCHEMA}", damaged=True)


def unusable(error: sqlite3.Error) -> Unusable:
    """An error of SQLite as what it means for the cache."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _BUSY:
        return Unusable("is locked by another program")
    if code == sqlite3.SQLITE_READONLY:
        return Unusable("can't be written: it is read-only")
    if code == sqlite3.SQLITE_FULL:
        return Unusable("can't be written: the disk is full")
    if code == sqlite3.SQLITE_CANTOPEN:
        return Unusable("can't be opened")
    return Unusable("is damaged" if code in _DAMAGED else f"can't be used ({error})", damaged=code in _DAMAGED)


def aside_of(path: Path) -> Path:
    """Where a file is put that can't be used."""
    return path.with_name(f"{path.name}.broken")


def move_aside(path: Path) -> str:
    """Put a file that can't be used out of the way, with its companions. Returns what became of it, in words."""
    try:
        for companion in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + companion).unlink(missing_ok=True)
        path.replace(aside_of(path))
    except OSError as error:
        return f"and can't be moved aside ({error.strerror})"
    return "and was moved aside"


def _open(path: Path) -> sqlite3.Connection:
    """Open for reading. Read-write where possible, since what a killed console left behind has to be put in order first."""
    address = path.absolute().as_uri()
    for mode in ("mode=rw", "mode=ro", "immutable=1"):
        db = None
        try:
            db = sqlite3.connect(f"{address}?{mode}", uri=True, timeout=LOCK_SECONDS)
            db.execute("PRAGMA application_id").fetchone()
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if db is not None:
                db.close()
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if mode == "immutable=1" or code not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
                raise
        except sqlite3.Error:
            if db is not None:
                db.close()
            raise
        else:
            return db
    raise AssertionError("the last mode raises or returns")


def _read(db: sqlite3.Connection, without: str) -> Cached | None:
    db.execute("BEGIN")  # one moment for all tables, whoever writes meanwhile
    meta = dict(db.execute("SELECT name, value FROM meta"))
    if "epoch" not in meta:
        return None
    kept: dict[str, tuple[list[str], list[str]]] = {}
    for part, key, body in db.execute(
        "SELECT part, key, body FROM items WHERE part <> ? ORDER BY part, key", (without,)
    ):
        keys, bodies = kept.setdefault(part, ([], []))
        keys.append(key)
        bodies.append(body)
    items = {part: _objects(bodies) for part, (_, bodies) in kept.items()}
    cohorts = dict(zip(kept.get(COHORTS, ([], []))[0], items.pop(COHORTS, []), strict=True))
    # A flag whose cohort is missing must not be taken for one without a cohort: KeyError, the file is damaged.
    items[FLAGS] = [
        {**item, **_BY_HASH, **cohorts[key]}
        for key, item in zip(kept.get(FLAGS, ([], []))[0], items.get(FLAGS, []), strict=True)
    ]
    seen = json.loads(meta["seen"]) if "seen" in meta else None
    return Cached(
        str(meta["epoch"]),
        int(meta["revision"]),
        {part: float(at) for part, at in db.execute("SELECT part, fetched_at FROM parts")},
        {part: tuple(found) for part, found in items.items()},
        tuple(_changes(db, meta["epoch"], "LIMIT 500")),
        _object(meta.get("status", "{}")),
        float(meta.get("skew", 0.0)),
        None if seen is None else (str(seen[0]), int(seen[1])),
    )


def read_part(path: Path, part: str) -> list[Json]:
    """One part of what the cache holds; empty where there is none yet. Raises ``Unusable``."""
    check_owner(path)
    if not path.exists():
        return []
    try:
        with contextlib.closing(_open(path)) as db:
            if is_new(db):
                return []
            check_version(db)
            return _objects(
                [body for (body,) in db.execute("SELECT body FROM items WHERE part = ? ORDER BY key", (part,))]
            )
    except sqlite3.Error as error:
        raise unusable(error) from None
    except ValueError:
        raise Unusable("holds what can't be understood", damaged=True) from None


def read_changes(path: Path) -> list[Json]:
    """All changes that the cache holds of its lineage, newest first. Raises ``Unusable``."""
    check_owner(path)
    if not path.exists():
        return []
    try:
        with contextlib.closing(_open(path)) as db:
            if is_new(db):
                return []
            check_version(db)
            row = db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
            return [] if row is None else list(_changes(db, row[0], ""))
    except sqlite3.Error as error:
        raise unusable(error) from None
    except ValueError:
        raise Unusable("holds what can't be understood", damaged=True) from None


def _changes(db: sqlite3.Connection, epoch: str, limit: str) -> Iterable[Json]:
    statement = f"SELECT body FROM changes WHERE epoch = ? ORDER BY change_id DESC {limit}"  # noqa: S608  # our own words
    return _objects([body for (body,) in db.execute(statement, (epoch,))])


def _objects(texts: Sequence[str]) -> list[Json]:
    """Many at once: half of what a small one takes is to call for it."""
    found = json.loads(f"[{','.join(texts)}]")
    if len(found) != len(texts) or not all(isinstance(item, dict) for item in found):
        raise ValueError("not objects")
    return cast("list[Json]", found)


def _object(text: str) -> Json:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    return data
