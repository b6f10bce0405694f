"""The local journal of actions: each is on disk, with its idempotency key, before its request leaves.

After a crash the next console finds what was under way and reads back what became of it. Nothing is ever sent again from
here: the journal only remembers.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from flagconsole.console.actions import Action, Asked

#: An action whose console still runs is left to that console for this many seconds.
OWNED_SECONDS: Final = 600.0
#: Settled actions are kept so many days.
KEPT_DAYS: Final = 90

_SCHEMA = """
CREATE TABLE IF NOT EXISTS actions (
  idempotency_key TEXT PRIMARY KEY,
  server TEXT NOT NULL,
  kind TEXT NOT NULL,
  flag_name TEXT NOT NULL,
  environment TEXT NOT NULL,
  reason TEXT NOT NULL,
  version INTEGER NOT NULL,
  before TEXT NOT NULL,
  base_epoch TEXT NOT NULL,
  base_revision INTEGER NOT NULL,
  begun_at REAL NOT NULL,
  process INTEGER NOT NULL,
  stage TEXT NOT NULL,
  revision INTEGER,
  message TEXT NOT NULL DEFAULT '',
  asked TEXT NOT NULL DEFAULT '{}'
)
"""


class Unresolved(NamedTuple):
    """An action of an earlier console of which it isn't known what became."""

    action: Action
    base_epoch: str


class Journal:
    """The journal in one file, readable by its owner alone. Every method raises ``OSError`` when the disk refuses.

    Each call opens and closes the file: actions are rare, and a console that was killed must leave nothing behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, action: Action, server: str, base_epoch: str) -> None:
        """Write an action down and sync it to the disk, before anything is sent."""
        with closing(self._open()) as db, db:
            db.execute(
                "INSERT OR IGNORE INTO actions (idempotency_key, server, kind, flag_name, environment, reason, version,"
                " before, base_epoch, base_revision, begun_at, process, stage, asked)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    action.key, server, action.kind.value, action.flag_name, action.environment, action.reason,
                    action.version, action.before, base_epoch, action.base_revision, action.begun_at, os.getpid(),
                    action.stage.value, json.dumps(action.asked._asdict()),
                ),
            )  # fmt: skip

    def settle(self, action: Action) -> None:
        """Write down what became of an action."""
        with closing(self._open()) as db, db:
            db.execute(
                "UPDATE actions SET stage = ?, revision = ?, message = ? WHERE idempotency_key = ?",
                (action.stage.value, action.revision or None, action.message, action.key),
            )
            db.execute(
                "DELETE FROM actions WHERE begun_at < ? AND stage NOT IN ('intent', 'sent', 'unknown')",
                (time.time() - KEPT_DAYS * 86_400,),
            )

    def unresolved(self, server: str) -> list[Unresolved]:
        """The actions sent to ``server`` by consoles that are gone, of which it isn't known what became; oldest first."""
        if not self.path.exists():
            return []
        from flagconsole.console.actions import Action, Kind, Stage

        with closing(self._open()) as db:
            rows = db.execute(
                "SELECT idempotency_key, kind, flag_name, environment, reason, version, before, base_epoch,"
                " base_revision, begun_at, process, asked FROM actions"
                " WHERE server = ? AND stage IN ('intent', 'sent', 'unknown') ORDER BY begun_at",
                (server,),
            ).fetchall()
        found = []
        for (
            key,
            kind,
            flag,
            environment,
            reason,
            version,
            before,
            base_epoch,
            base_revision,
            begun_at,
            process,
            asked,
        ) in rows:
            if process != os.getpid() and _runs(process) and time.time() - begun_at < OWNED_SECONDS:
                continue
            found.append(
                Unresolved(
                    Action(
                        key, Kind(kind), flag, environment, reason, version, before, begun_at,
                        asked=_asked(asked), base_revision=base_revision, stage=Stage.UNKNOWN, earlier=True,
                    ),
                    base_epoch,
                )
            )  # fmt: skip
        return found

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made here, so that it never exists with wider rights than the owner's.
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        try:
            db = sqlite3.connect(self.path, timeout=2.0)
            db.execute("PRAGMA synchronous = FULL")
            db.execute(_SCHEMA)
            if "asked" not in {column[1] for column in db.execute("PRAGMA table_info(actions)")}:
                db.execute("ALTER TABLE actions ADD COLUMN asked TEXT NOT NULL DEFAULT '{}'")
        except sqlite3.Error as error:
            raise OSError(f"the journal {self.path} can't be used: {error}") from error
        return db


def _asked(text: str) -> Asked:
    from flagconsole.console.actions import Asked

    known = json.loads(text)
    fields = {name: value for name, value in known.items() if name in Asked._fields}
    return Asked(**fields | {"changes": tuple(fields.get("changes", ()))})


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
