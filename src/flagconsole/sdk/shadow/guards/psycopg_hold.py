"""The hold on a connection of psycopg: three walls, one behind the other.

psycopg itself forbids ``commit()`` inside a block that forces its rollback. Cursors of the connection refuse whatever may end the
transaction as SQL, before it is sent. And a commit by any other way fails in the server: it would have to run to its end a
cursor that outlives the transaction, and that one can't be run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

from flagconsole.sdk.shadow.errors import GuardBroken, GuardRefused
from flagconsole.sdk.shadow.guards.hold import Hold
from flagconsole.sdk.shadow.guards.statement import text_of, writes_of

#: Fails when it is run, and with it every COMMIT and PREPARE TRANSACTION; declaring it costs next to nothing and changes nothing.
_TRAP: Final = (
    "DECLARE {name} NO SCROLL CURSOR WITH HOLD FOR"
    " SELECT ('nothing may be committed in shadow' || left(random()::text, 0))::integer"
)
_FACTORIES: Final = ("cursor_factory", "server_cursor_factory")


class PsycopgHold(Hold):
    """On a synchronous ``psycopg.Connection``."""

    def __init__(self, connection: Any) -> None:
        super().__init__()
        self._connection = connection
        self._block: Any = None
        self._factories: dict[str, Any] = {}

    def begin(self) -> None:
        connection = self._connection
        if connection.autocommit:
            raise GuardRefused("the connection is in autocommit mode, so every statement would be final")
        if connection.info.transaction_status.name == "INERROR":
            raise GuardRefused("the connection's transaction has failed already")
        if connection.info.pipeline_status.name != "OFF":
            raise GuardRefused("the connection is in pipeline mode, so nobody sees in time what a statement did")
        block = connection.transaction(force_rollback=True)
        block.__enter__()
        try:
            connection.execute(_TRAP.format(name=self._savepoint))
            connection.execute(f"SAVEPOINT {self._savepoint}")
        except Exception as error:  # the driver's; it isn't ours to import
            block.__exit__(type(error), error, error.__traceback__)
            raise GuardRefused(f"this server can't be kept from committing: {error}") from error
        self._block = block
        for name in _FACTORIES:
            self._factories[name] = getattr(connection, name)
            setattr(connection, name, _checked(self._factories[name], self._check))

    def rewind(self) -> None:
        self._connection.execute(f"ROLLBACK TO SAVEPOINT {self._savepoint}")

    def undo(self) -> None:
        connection, broken = self._connection, None
        for name, factory in self._factories.items():
            setattr(connection, name, factory)
        try:
            if self._gone():
                raise GuardBroken("the guarded transaction is gone")
            connection.execute(f"ROLLBACK TO SAVEPOINT {self._savepoint}")
        except Exception as error:
            broken = error
        if connection.closed or connection.broken:
            # Whatever was not committed went with the connection.
            return
        if broken is None:
            self._block.__exit__(None, None, None)
            return
        with contextlib.suppress(Exception):
            self._block.__exit__(None, None, None)
        with contextlib.suppress(Exception):
            connection.rollback()
        raise GuardBroken(f"the guarded transaction is gone: {broken}") from broken

    def _gone(self) -> bool:
        return bool(self._connection.info.transaction_status.name == "IDLE")

    def _check(self, statement: Any) -> None:
        """Refuse a statement that may end the transaction, and every one once it has ended: it would begin another."""
        writes_of(text_of(statement, self._connection))
        if self._gone():
            raise GuardRefused("the guarded transaction has ended, so nothing more may run")


def _checked(factory: Any, check: Callable[[Any], None]) -> Any:
    """The same class of cursors, with each statement checked before it is sent."""

    class Checked(factory):  # type: ignore[misc]  # whichever class of cursors the connection has
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            check(query)
            return super().execute(query, *args, **kwargs)

        def executemany(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            check(query)
            return super().executemany(query, *args, **kwargs)

        def stream(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            check(query)
            return super().stream(query, *args, **kwargs)

        def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
            check(statement)
            return super().copy(statement, *args, **kwargs)

    return Checked
