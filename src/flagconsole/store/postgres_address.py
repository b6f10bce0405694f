"""Where a PostgreSQL store lies, and with which settings it is connected to."""

from __future__ import annotations

from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.store_environment import FIRST
from flagconsole.store.partition import schema_of
from flagconsole.store.postgres_session import ROW_FACTORY, Connection

#: A server that hangs in a transaction must not keep the head row from the others (milliseconds).
_LIMITS: Final = {"lock_timeout": 5000, "statement_timeout": 15000, "idle_in_transaction_session_timeout": 4000}
#: A database that vanished without a word (a dead machine, a cut cable) is noticed after so long, not after the two hours of
#: the system's own keepalive.
_NOTICE: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class Address:
    """The URL of a database, and the ``partition`` of it that is meant. ``pooled`` says that it leads through a pooler, where a
    session may change its server between two transactions: then nothing is set on the session, and no statement is prepared
    in it.

    Raises ``InvalidInput`` for what can't be read as a URL.
    """

    def __init__(self, url: str, *, pooled: bool = False, partition: str = FIRST) -> None:
        self.url = url
        self.pooled = pooled
        self.schema = schema_of(partition)
        #: What each transaction works as, once that is known.
        self.role: str | None = None
        try:
            self._known: dict[str, Any] = conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            # The driver's own words might quote the password.
            problem = "can't be read; it should look like postgresql://user@host:5432/database"
            raise InvalidInput(field="store", problem=problem, value=f"{url.partition(':')[0]}:…") from None

    @property
    def place(self) -> str:
        """``host:port/database``, without who connects: the same database whoever asks."""
        host = self._known.get("host") or self._known.get("hostaddr") or "localhost"
        return f"{host}:{self._known.get('port') or 5432}/{self._known.get('dbname') or self._known.get('user') or ''}"

    def __str__(self) -> str:
        """The database as it may be shown: host, port and name, no secrets."""
        known = self._known
        host = known.get("host") or known.get("hostaddr") or "localhost"
        port = f":{known['port']}" if known.get("port") else ""
        return f"postgresql at {host}{port}, database {known.get('dbname') or known.get('user') or '?'}"

    def begin(self, tenant_id: str | None) -> LiteralString:
        """The statements that begin a write, or a read of which each statement sees all that is committed, for a tenant or for
        the whole fleet."""
        return self._begun("BEGIN", tenant_id)

    def begin_reading(self, tenant_id: str | None) -> LiteralString:
        """The statements that begin a read whose statements all see the same."""
        return self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", tenant_id)

    def _begun(self, begin: str, tenant_id: str | None) -> LiteralString:
        local = [] if self.schema is None else [f"SET LOCAL search_path = {self.schema}"]
        if self.role is not None:
            local.append(f"SET LOCAL ROLE {self.role}")
        local.append(self.acting(tenant_id))
        if self.pooled:
            local += (f"SET LOCAL {name} = {value}" for name, value in _LIMITS.items())
        # Made of our own constants, of a schema's name, which has letters, digits and underscores only, and of a quoted value.
        return "; ".join((begin, *local))

    def acting(self, tenant_id: str | None) -> LiteralString:
        """The statement that says for whom the rest of the transaction acts."""
        whom = "'*'" if tenant_id is None else sql.Literal(f"={tenant_id}").as_string()
        return f"SET LOCAL flagconsole.tenant = {whom}"

    def settings(self, *, primary: bool = True, limits: bool = True) -> dict[str, Any]:
        """What to connect with beside the URL. What the URL says itself stays. Only with a ``primary``: after a failover one of
        several hosts is a replica, and reading from it would show what is old."""
        chosen: dict[str, Any] = {name: value for name, value in _NOTICE.items() if name not in self._known}
        if primary and "target_session_attrs" not in self._known:
            chosen["target_session_attrs"] = "read-write"
        if self.pooled:
            chosen["prepare_threshold"] = None
        elif limits:
            given = " ".join(f"-c {name}={value}" for name, value in _LIMITS.items())
            chosen["options"] = f"{self._known.get('options', '')} {given}".strip()
        return {"autocommit": True, "row_factory": ROW_FACTORY, **chosen}

    async def connect(self, *, primary: bool = True, limits: bool = True) -> Connection:
        """A connection of its own; without ``limits`` for what takes as long as it takes. Raises the driver's errors."""
        return await psycopg.AsyncConnection.connect(self.url, **self.settings(primary=primary, limits=limits))

    @property
    def hosts(self) -> int:
        """How many hosts the URL names."""
        return str(self._known.get("host") or self._known.get("hostaddr") or "").count(",") + 1
