"""The hold on a database connection: a transaction that is rolled back whatever happens inside, or that doesn't begin.

Each driver is held by its own means, so that even code that got hold of the bare connection can't commit: SQLite's authorizer
denies everything that would; psycopg forbids it inside a block that forces its rollback, and gives cursors that refuse it as SQL; and
in PostgreSQL itself a commit fails, whoever asks for it. A savepoint with a name that nobody knows shows at the end whether the
transaction is still the same one.
"""

from __future__ import annotations

import secrets
import sqlite3
from abc import ABC, abstractmethod
from typing import Any, Final

from flagconsole.sdk.shadow.errors import GuardBroken, GuardRefused

#: What SQLite asks its authorizer about and a rollback undoes, or that changes nothing.
_HARMLESS: Final = frozenset(
    {
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_INSERT,
        sqlite3.SQLITE_UPDATE,
        sqlite3.SQLITE_DELETE,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
        sqlite3.SQLITE_SAVEPOINT,
    }
)
#: Pragmas that only tell something.
_TELLING: Final = frozenset(
    {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo", "foreign_key_list"}
)


class Hold(ABC):
    """Held from ``begin`` to ``undo``."""

    def __init__(self) -> None:
        #: A name in the database that nobody knows.
        self._savepoint = f"flagconsole_{secrets.token_hex(8)}"
        #: What the driver itself was made to refuse.
        self.refused: str | None = None

    @abstractmethod
    def begin(self) -> None:
        """Begin. Raises ``GuardRefused`` where it could not hold."""

    @abstractmethod
    def rewind(self) -> None:
        """Undo what was written so far, and stay held."""

    @abstractmethod
    def undo(self) -> None:
        """Undo everything, and let go. Raises ``GuardBroken`` when the transaction is no longer the one that was begun."""


def hold_on(connection: Any) -> Hold:
    """The hold for a connection of ``sqlite3`` or ``psycopg``. Raises ``GuardRefused`` for every other."""
    if isinstance(connection, sqlite3.Connection):
        return SqliteHold(connection)
    kind = next((kind for kind in type(connection).__mro__ if kind.__module__.partition(".")[0] == "psycopg"), None)
    if kind is not None and hasattr(connection, "transaction") and not hasattr(connection, "__aenter__"):
        from flagconsole.sdk.shadow.guards.psycopg_hold import PsycopgHold

        return PsycopgHold(connection)
    raise GuardRefused(
        f"a connection of {type(connection).__module__} can't be held: only sqlite3's and psycopg's synchronous ones can"
    )


class SqliteHold(Hold):
    """On a ``sqlite3.Connection``. It takes the place of an authorizer of one's own, and leaves none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection
        self._began = False

    def begin(self) -> None:
        connection = self._connection
        if not connection.in_transaction:
            if connection.isolation_level is None or getattr(connection, "autocommit", None) is True:
                raise GuardRefused("the connection is in autocommit mode, so every statement would be final")
            # The driver would begin by itself only before some statements, and not before a WITH ... INSERT.
            connection.execute("BEGIN")
            self._began = True
        connection.execute(f"SAVEPOINT {self._savepoint}")
        connection.set_authorizer(self._authorize)

    def rewind(self) -> None:
        self._connection.set_authorizer(None)
        try:
            self._connection.execute(f"ROLLBACK TO {self._savepoint}")
        finally:
            self._connection.set_authorizer(self._authorize)

    def undo(self) -> None:
        connection = self._connection
        connection.set_authorizer(None)
        try:
            connection.execute(f"ROLLBACK TO {self._savepoint}")
            connection.execute(f"RELEASE {self._savepoint}")
        except sqlite3.Error as error:
            raise GuardBroken(f"the guarded transaction is gone: {error}") from error
        finally:
            if self._began:
                connection.rollback()

    def _authorize(self, action: int, one: str | None, two: str | None, *_: str | None) -> int:
        allowed = action in _HARMLESS
        if action == sqlite3.SQLITE_SAVEPOINT:
            allowed = two != self._savepoint
        elif action == sqlite3.SQLITE_FUNCTION:
            allowed = two not in {"load_extension", "writefile"}
        elif action == sqlite3.SQLITE_PRAGMA:
            allowed = (one or "").lower() in _TELLING
        elif action in {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}:
            allowed = (one or "").lower() not in {"sqlite_master", "sqlite_schema", "sqlite_temp_master"}
        if not allowed:
            self.refused = f"SQLite was asked for {one or 'something'} ({action}), which a rollback may not undo"
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
