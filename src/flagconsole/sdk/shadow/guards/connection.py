"""The guard for database writes over a DB-API connection: real statements, so that constraints really are checked, in a
transaction that is always rolled back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from flagconsole.domain.execution_type import EffectKind
from flagconsole.sdk.shadow.errors import GuardRefused, NotInShadow
from flagconsole.sdk.shadow.guards.guard import Guard
from flagconsole.sdk.shadow.guards.hold import Hold, hold_on
from flagconsole.sdk.shadow.guards.statement import text_of, writes_of

#: What else of a connection and of a cursor can be used: nothing that runs a statement or ends a transaction.
_OF_CONNECTION: Final = frozenset(
    {"adapters", "autocommit", "broken", "closed", "create_aggregate", "create_collation", "create_function"}
    | {"cursor_factory", "in_transaction", "info", "isolation_level", "row_factory", "text_factory", "total_changes"}
    | {"transaction"}
)
_OF_CURSOR: Final = frozenset(
    {
        "adapters",
        "arraysize",
        "close",
        "closed",
        "description",
        "fetchall",
        "fetchmany",
        "fetchone",
        "format",
        "itersize",
    }
    | {"lastrowid", "name", "nextset", "results", "row_factory", "rowcount", "rownumber", "scroll", "statusmessage"}
)
#: What can be set.
_SETTABLE: Final = frozenset({"arraysize", "itersize", "row_factory", "text_factory", "cursor_factory"})


class ConnectionGuard(Guard):
    """``with ConnectionGuard(connect)() as connection:``.

    ``connect`` makes a connection of ``sqlite3`` or ``psycopg``, or gives a context manager of one, as a pool does. In shadow every
    statement runs for real, a commit only seems to, and at the end all is undone; each writing statement counts. Otherwise
    the block gets the connection as it is. With ``always`` it holds outside of shadow too.

    Raises ``GuardRefused`` where it can't hold: for a connection in autocommit or of another driver before anything runs, and for
    a statement that a rollback may not undo before it runs. Raises ``GuardBroken`` where it could not hold after all.
    """

    kind = EffectKind.DATABASE

    def __init__(self, connect: Callable[[], Any], *, always: bool = False) -> None:
        super().__init__(always=always)
        self._connect = connect

    @contextmanager
    def __call__(self) -> Iterator[Any]:
        """The connection, for a block."""
        with self._opened() as connection:
            if not self.holds:
                yield connection
                return
            hold = hold_on(connection)
            hold.begin()
            try:
                with said_by(hold):
                    yield GuardedConnection(self, hold, connection)
            finally:
                hold.undo()

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        made = self._connect()
        with made if not hasattr(made, "cursor") else contextlib.closing(made) as connection:
            yield connection

    def check(self, statement: Any, connection: Any, times: int = 1) -> None:
        """Count a statement that is about to run. Raises ``GuardRefused`` for one that must not."""
        sql = text_of(statement, connection)
        writes = writes_of(sql)
        if writes:
            self.keep_back(" ".join(sql.split()[:3])[:80], writes * max(1, times))


@contextmanager
def said_by(hold: Hold) -> Iterator[None]:
    """Turns the driver's error about what the hold made it refuse into ``GuardRefused``."""
    try:
        yield
    except GuardRefused:
        raise
    except Exception as error:
        if hold.refused is not None:
            raise GuardRefused(hold.refused) from error
        raise


class GuardedConnection:
    """A connection whose commits only seem to happen. What else of the driver's connection is harmless can be used."""

    def __init__(self, guard: ConnectionGuard, hold: Hold, connection: Any) -> None:
        object.__setattr__(self, "_guard", guard)
        object.__setattr__(self, "_hold", hold)
        object.__setattr__(self, "_connection", connection)

    _guard: ConnectionGuard
    _hold: Hold
    _connection: Any

    def cursor(self, *args: Any, **kwargs: Any) -> GuardedCursor:
        """A cursor whose statements are checked."""
        return GuardedCursor(self, self._connection.cursor(*args, **kwargs))

    def execute(self, statement: Any, *args: Any, **kwargs: Any) -> GuardedCursor:
        """Run a statement on a cursor of its own."""
        return self.cursor().execute(statement, *args, **kwargs)

    def executemany(self, statement: Any, parameters: Any, *args: Any, **kwargs: Any) -> GuardedCursor:
        """Run a statement for each of ``parameters``."""
        return self.cursor().executemany(statement, parameters, *args, **kwargs)

    def check(self, statement: Any, times: int = 1) -> None:
        """For cursors: count a statement, or refuse it."""
        self._guard.check(statement, self._connection, times)

    def commit(self) -> None:
        """Go on as if all were committed: in this transaction it looks so."""

    def rollback(self) -> None:
        """Undo what was written so far."""
        self._hold.rewind()

    def close(self) -> None:
        """Nothing: the guard closes it."""

    def __enter__(self) -> GuardedConnection:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is not None:
            self.rollback()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, _allowed(name, _OF_CONNECTION))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._connection, _allowed(name, _SETTABLE), value)


class GuardedCursor:
    """A cursor whose statements are checked before they run."""

    def __init__(self, connection: GuardedConnection, cursor: Any) -> None:
        object.__setattr__(self, "connection", connection)
        object.__setattr__(self, "_cursor", cursor)

    connection: GuardedConnection
    _cursor: Any

    def execute(self, statement: Any, *args: Any, **kwargs: Any) -> GuardedCursor:
        """Run a statement."""
        self.connection.check(statement)
        self._cursor.execute(statement, *args, **kwargs)
        return self

    def executemany(self, statement: Any, parameters: Any, *args: Any, **kwargs: Any) -> GuardedCursor:
        """Run a statement for each of ``parameters``."""
        rows = list(parameters)
        self.connection.check(statement, len(rows))
        self._cursor.executemany(statement, rows, *args, **kwargs)
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)

    def __next__(self) -> Any:
        return next(self._cursor)

    def __enter__(self) -> GuardedCursor:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, _allowed(name, _OF_CURSOR))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._cursor, _allowed(name, _SETTABLE), value)


def _allowed(name: str, names: frozenset[str]) -> str:
    if name not in names:
        raise NotInShadow(f"{name} can't be used in shadow: nobody can say that a rollback undoes it")
    return name
