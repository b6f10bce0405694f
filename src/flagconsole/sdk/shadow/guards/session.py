"""The guard for database writes through SQLAlchemy 2 sessions. Nothing of SQLAlchemy is imported before there is a session."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flagconsole.domain.execution_type import EffectKind
from flagconsole.sdk.shadow.errors import GuardRefused
from flagconsole.sdk.shadow.guards.connection import said_by
from flagconsole.sdk.shadow.guards.guard import Guard
from flagconsole.sdk.shadow.guards.hold import hold_on
from flagconsole.sdk.shadow.guards.statement import writes_of


class SessionGuard(Guard):
    """``with SessionGuard(sessions)() as session:`` where ``sessions`` is a ``sessionmaker`` bound to an engine on SQLite or psycopg.

    In shadow the session works on a connection of its own, held in a transaction that is always rolled back: its statements
    really run and constraints really are checked, ``commit`` only ends a savepoint, and each writing statement counts.
    Otherwise the block gets an ordinary session. With ``always`` it holds outside of shadow too.

    Raises ``GuardRefused`` where it can't hold (autocommit, another driver, a session joined to somebody's connection,
    asynchronous sessions) before anything runs, and for a statement that a rollback may not undo. Raises ``GuardBroken``
    where it could not hold after all.
    """

    kind = EffectKind.DATABASE

    def __init__(self, sessions: Callable[..., Any], *, always: bool = False) -> None:
        super().__init__(always=always)
        self._sessions = sessions

    @contextmanager
    def __call__(self) -> Iterator[Any]:
        """The session, for a block."""
        if not self.holds:
            with self._sessions() as session:
                yield session
            return
        with self._engine().connect() as connection:
            transaction = connection.begin()
            try:
                with self._held(connection) as session:
                    yield session
            finally:
                transaction.rollback()

    @contextmanager
    def _held(self, connection: Any) -> Iterator[Any]:
        hold = hold_on(connection.connection.dbapi_connection)
        hold.begin()
        try:
            events = importlib.import_module("sqlalchemy.event")
            events.listen(connection, "before_cursor_execute", self._check)
            with (
                said_by(hold),
                self._sessions(bind=connection, join_transaction_mode="create_savepoint") as session,
            ):
                yield session
        finally:
            hold.undo()

    def _engine(self) -> Any:
        probe = self._sessions()
        try:
            if not hasattr(probe, "get_bind") or hasattr(probe, "sync_session"):
                raise GuardRefused("only SQLAlchemy's synchronous sessions can be held")
            engine = probe.get_bind()
        finally:
            if not hasattr(probe, "sync_session"):
                probe.close()
        if hasattr(engine, "in_transaction"):
            raise GuardRefused("the sessions share a connection that somebody else may commit; bind them to an engine")
        return engine

    def _check(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        writes = writes_of(statement)
        if writes:
            times = len(parameters) if executemany else 1
            self.keep_back(" ".join(statement.split()[:3])[:80], writes * max(1, times))
