"""The role that a server works as: it owns nothing, is held to row-level security, and can't edit the log.

The tables belong to whoever connects; each transaction of a server gives that up for this role. A superuser, and a role that
bypasses row-level security, would see every row whatever the policies say.
"""

from __future__ import annotations

import logging
from typing import Final

from psycopg import sql

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.store.postgres_session import Connection

APP_ROLE: Final = "flagconsole_app"

_WHO: Final = """
    SELECT session_user, rolsuper, rolsuper OR rolbypassrls, rolsuper OR rolcreaterole,
        EXISTS (SELECT FROM pg_roles WHERE rolname = %s)
    FROM pg_roles WHERE rolname = session_user
"""
# Another server, of another database in the same cluster, may make it at the same time.
_MAKE: Final = f"""
    DO $$ BEGIN
        CREATE ROLE {APP_ROLE} NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$
"""
_TABLES: Final = """
    SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
"""
#: The chains of the audit log, which a server adds to and does nothing else with.
_LOGS: Final = ("flag_change_log", "audit_log")
_GRANTED: Final = f"""
    SELECT has_schema_privilege(%(role)s, current_schema(), 'USAGE')
        AND NOT EXISTS (SELECT FROM ({_TABLES}) AS tables WHERE NOT has_table_privilege(%(role)s, oid, 'SELECT'))
        AND NOT EXISTS (
            SELECT FROM unnest(%(logs)s::text[]) AS log WHERE has_table_privilege(%(role)s, log, 'UPDATE, DELETE, TRUNCATE')
        )
"""

log = logging.getLogger(__name__)


async def take_role(connection: Connection) -> str | None:
    """The role to work as in the schema that the connection looks into, with the rights that it needs there; made where it is
    missing and that is allowed. None where the owner of the tables, whom row-level security holds as well, has no other one.

    Raises ``StoreUnavailable`` for a user whom it doesn't hold and who has no other role.
    """
    row = await (await connection.execute(_WHO, (APP_ROLE,))).fetchone()
    assert row is not None
    user, superuser, unheld, may_make, exists = row
    if not exists and may_make:
        await connection.execute(_MAKE)
        if not superuser:
            grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP_ROLE), sql.Identifier(user))
            await connection.execute(grant)
        exists = True
    if not exists or not await _may_become(connection):
        hint = f'Let an administrator run: CREATE ROLE {APP_ROLE} NOLOGIN; GRANT {APP_ROLE} TO "{user}"'
        if unheld:
            raise StoreUnavailable(
                hint, problem=f"{user} bypasses row-level security and can't become the role {APP_ROLE}"
            )
        log.warning("the server works as %s, who owns the tables, and could edit them. %s", user, hint)
        return None
    await _grant(connection)
    return APP_ROLE


async def _may_become(connection: Connection) -> bool:
    asked = "SELECT pg_has_role(session_user, %s, 'MEMBER'), rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s"
    row = await (await connection.execute(asked, (APP_ROLE, APP_ROLE))).fetchone()
    assert row is not None
    member, unheld = row
    if unheld:
        raise StoreUnavailable(
            f"Let an administrator run: ALTER ROLE {APP_ROLE} NOSUPERUSER NOBYPASSRLS",
            problem=f"the role {APP_ROLE} bypasses row-level security",
        )
    return bool(member)


async def _grant(connection: Connection) -> None:
    """Everything that a server does with the tables, but editing the log and the schema."""
    row = await (await connection.execute(_GRANTED, {"role": APP_ROLE, "logs": list(_LOGS)})).fetchone()
    if row is not None and row[0]:
        return
    named = await (await connection.execute("SELECT current_schema()")).fetchone()
    assert named is not None
    names = {"schema": sql.Identifier(named[0]), "role": sql.Identifier(APP_ROLE)}
    for statement in (
        "GRANT USAGE ON SCHEMA {schema} TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
        *(f"REVOKE UPDATE, DELETE, TRUNCATE ON {{schema}}.{log} FROM {{role}}" for log in _LOGS),
        "REVOKE INSERT, UPDATE, DELETE ON {schema}.schema_version FROM {role}",
    ):
        await connection.execute(sql.SQL(statement).format(**names))
