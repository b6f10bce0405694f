"""The second wall: whatever a statement asks for, a transaction sees what it acts for, and the log can't be edited."""

from __future__ import annotations

import json

import httpx
import psycopg
import pytest
from psycopg import sql

from flagconsole.domain.errors import StoreUnavailable
from flagconsole.domain.requests import FlagCreate, KeyCreate, OverrideSet, TenantsPut
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import Operations
from flagconsole.operations.transfer import transfer
from flagconsole.store import open_store
from flagconsole.store.acting import act_for, on_own_account
from flagconsole.store.postgres_migrations import p0017_acts
from flagconsole.store.postgres_migrations.p0015_row_security import OF_TENANTS, OF_THE_FLEET
from flagconsole.store.postgres_role import APP_ROLE
from flagconsole.store.sql_reader import SqlReader

from ..conftest import ADMIN
from ..live_server import LiveServer

OWN, OTHER = "tenant-own", "tenant-other"
TENANTS = (*OF_TENANTS, *p0017_acts.OF_TENANTS)
HELD = (*TENANTS, *OF_THE_FLEET, *p0017_acts.OF_THE_FLEET, "flag_events", "audit_log")


@pytest.fixture
def backend() -> str:
    return "postgresql"


@pytest.fixture
async def lived(operations, flag):
    """Overrides, log entries, profiles and keys of two tenants."""
    people = [{"tenant_id": name, "name": name} for name in (OWN, OTHER)]
    await operations.put_tenants(ADMIN, TenantsPut.model_validate({"tenants": people}))
    for tenant in (OWN, OTHER):
        request = OverrideSet(override_state=FlagState.ON, override_reason=tenant, tenant_id=tenant)
        await operations.set_override(ADMIN, flag, request)
        await operations.create_key(ADMIN, KeyCreate(name=tenant, role=Role.ADMIN, tenant_id=tenant))
    return operations


def as_app(url: str, tenant: str | None = None) -> psycopg.Connection:
    connection = psycopg.connect(url, autocommit=True)
    connection.execute(f"SET ROLE {APP_ROLE}")
    if tenant is not None:
        connection.execute("SELECT set_config('flagconsole.tenant', %s, false)", (tenant,))
    return connection


def tables(connection: psycopg.Connection) -> list[str]:
    return [
        row[0]
        for row in connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
        )
    ]


def everything(connection: psycopg.Connection) -> str:
    """All rows of all tables that carry a tenant, as text."""
    return json.dumps(
        {
            name: [
                list(map(str, row))
                for row in connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))).fetchall()
            ]
            for name in HELD
        }
    )


async def test_without_any_condition_a_tenant_sees_its_own_rows_only(lived, store_url):
    with as_app(store_url, f"={OWN}") as connection:
        seen = everything(connection)
        assert OWN in seen
        assert OTHER not in seen
        count = connection.execute("SELECT count(*) FROM feature_flags").fetchone()
        assert count == (1,)
    with as_app(store_url, "*") as connection:
        assert OTHER in everything(connection)


async def test_who_does_not_say_for_whom_sees_no_tenant_and_one_named_like_the_fleet_is_a_tenant(lived, store_url):
    for said in (None, "", "tenant-other", "=", "=*", "**"):
        with as_app(store_url, said) as connection:
            seen = everything(connection)
        assert OWN not in seen, said
        assert OTHER not in seen, said
    request = OverrideSet(override_state=FlagState.ON, override_reason="x", tenant_id="*")
    await lived.set_override(ADMIN, "pos.lite", request)
    with as_app(store_url, "=*") as connection:
        found = connection.execute("SELECT tenant_id FROM tenant_flag_overrides").fetchall()
    assert found == [("*",)]


async def test_the_role_cannot_edit_the_log_nor_write_for_another_tenant(lived, store_url):
    with as_app(store_url, "*") as connection:
        for statement in (
            "UPDATE flag_change_log SET change_reason = ''",
            "DELETE FROM flag_change_log",
            "TRUNCATE flag_change_log",
            "ALTER TABLE flag_change_log DISABLE TRIGGER ALL",
            "ALTER TABLE flag_change_log NO FORCE ROW LEVEL SECURITY",
            "DROP POLICY flag_change_log_of_whom ON flag_change_log",
            "UPDATE audit_log SET done_by = ''",
            "DELETE FROM audit_log",
            "TRUNCATE audit_log",
            "DROP POLICY audit_log_of_whom ON audit_log",
            "UPDATE schema_version SET version = 1",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    with as_app(store_url, f"={OWN}") as connection:
        assert connection.execute("UPDATE tenant_flag_overrides SET override_state = 'off'").rowcount == 1
        assert connection.execute("DELETE FROM tenant_flag_overrides").rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            connection.execute(
                "INSERT INTO tenant_flag_overrides VALUES ('pos.lite', 'tenant-x', 'on', '', NULL, '', '')"
            )
    assert (await lived.verify_audit(ADMIN)).verified


async def test_every_table_with_a_tenant_is_held_and_its_owner_too(lived, store_url):
    with psycopg.connect(store_url) as connection:
        with_tenant = connection.execute(
            "SELECT table_name FROM information_schema.columns WHERE column_name = 'tenant_id' AND table_schema = 'public'"
        ).fetchall()
        assert {row[0] for row in with_tenant} == set(TENANTS)
        for name in HELD:
            held = connection.execute(
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", (name,)
            ).fetchone()
            assert held == (True, True), name
        for name in tables(connection):
            owner = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = %s", (name,)).fetchone()
            assert owner != (APP_ROLE,)


async def test_the_store_itself_acts_for_whom_it_was_told(lived, store):
    async def overrides() -> set[str]:
        async with store.read() as reader:
            # No condition at all: what the application itself leaves out is left out by the database.
            return {override.tenant_id for override in await reader.overrides()}

    assert await overrides() == {OWN, OTHER}
    act_for(OWN)
    try:
        assert await overrides() == {OWN}
        async with store.read() as reader:
            assert {change.tenant_id for change in await reader.changes()} == {OWN}
            assert [tenant.tenant_id for tenant in await reader.tenants()] == [OWN]
        with on_own_account():
            assert await overrides() == {OWN, OTHER}
        assert await overrides() == {OWN}
        with pytest.raises(StoreUnavailable, match="row-level security"):
            await lived.set_override(
                ADMIN, "pos.lite", OverrideSet(override_state=FlagState.OFF, override_reason="x", tenant_id=OTHER)
            )
    finally:
        act_for(None)


def test_a_route_that_forgets_its_own_filter_shows_nothing_foreign(store_url, monkeypatch):
    """The application's filter by tenant is taken out of the log's route; what a tenant's key does is done as ever."""
    with LiveServer(store_url) as server:
        assert server.request("POST", "/api/flags", json={"flag_name": "pos.lite"}).status_code == 201
        keys = {}
        for tenant in (OWN, OTHER):
            made = server.request("POST", "/api/keys", json={"name": tenant, "role": "admin", "tenant_id": tenant})
            keys[tenant] = {"Authorization": f"Bearer {made.json()['secret']}"}
        for tenant in (OTHER, OWN):
            body = {"override_state": "on", "override_reason": f"by {tenant}"}
            options = {"headers": {**keys[tenant], "Idempotency-Key": f"key-{tenant}"}, "json": body}
            done = server.request("PUT", "/api/flags/pos.lite/override", **options)
            assert (done.status_code, done.json()["changed"]) == (200, True), done.text
            again = server.request("PUT", "/api/flags/pos.lite/override", **options)
            assert again.headers["Idempotency-Replayed"] == "true"
        really = SqlReader.changes

        async def unfiltered(self, **asked):
            return await really(self, **{**asked, "tenant_id": None})

        monkeypatch.setattr(SqlReader, "changes", unfiltered)
        said = server.request("GET", "/api/history", headers=keys[OWN]).text
        assert f"by {OWN}" in said
        assert OTHER not in said
        whole = server.request("GET", "/api/history").text
        assert f"by {OTHER}" in whole
        # One that has no entry of its own yet, and decided on what the flag was before: it isn't told who changed it.
        newcomer = {"name": "new", "role": "admin", "tenant_id": "tenant-new"}
        secret = server.request("POST", "/api/keys", json=newcomer).json()["secret"]
        stale = {"Authorization": f"Bearer {secret}", "If-Match": '"1"'}
        raising = {"override_state": "on", "override_reason": "x"}
        conflict = server.request("PUT", "/api/flags/pos.lite/override", headers=stale, json=raising)
        assert (conflict.status_code, conflict.json()["details"]["changed_by"]) == (412, "somebody else")
        flags = httpx.get(f"{server.url}/api/flags", headers=keys[OWN], timeout=30)
        assert [one["tenant_id"] for one in flags.json()["overrides"]] == [OWN]
        assert server.request("GET", "/api/audit/verify").json()["verified"] is True


async def test_an_owner_who_is_no_superuser_is_held_and_a_role_that_is_not_held_is_refused(postgres, tmp_path):
    url = postgres()
    name = url.partition("?")[0].rpartition("/")[2]
    owned = url.replace("user=flagconsole", "user=plain_owner")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        for role, rights in (("plain_owner", ""), ("unheld", "BYPASSRLS")):
            if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is None:
                connection.execute(f"CREATE ROLE {role} LOGIN {rights}")
            connection.execute(f"REVOKE {APP_ROLE} FROM {role}")
        connection.execute(f"GRANT CREATE ON DATABASE {name} TO plain_owner, unheld")
        connection.execute("CREATE SCHEMA public AUTHORIZATION plain_owner")
    store = await open_store(owned)
    try:
        assert store._address.role is None
        operations = Operations(store)
        await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
        for tenant in (OWN, OTHER):
            request = OverrideSet(override_state=FlagState.ON, override_reason=tenant, tenant_id=tenant)
            await operations.set_override(ADMIN, "pos.lite", request)
        act_for(OWN)
        async with store.read() as reader:
            assert {override.tenant_id for override in await reader.overrides()} == {OWN}
        act_for(None)
    finally:
        act_for(None)
        await store.close()
    moved = await transfer(owned, f"sqlite:{tmp_path / 'moved.db'}")
    assert moved.tables["tenant_flag_overrides"] == 2
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public AUTHORIZATION plain_owner")
    back = await transfer(f"sqlite:{tmp_path / 'moved.db'}", owned)
    assert back == moved
    with psycopg.connect(url, autocommit=True) as connection:
        held = connection.execute("SELECT relforcerowsecurity FROM pg_class WHERE oid = 'flag_change_log'::regclass")
        assert held.fetchone() == (True,)
        connection.execute("GRANT plain_owner TO unheld")
    with pytest.raises(StoreUnavailable, match="unheld bypasses row-level security and can't become") as caught:
        await open_store(url.replace("user=flagconsole", "user=unheld"))
    assert "GRANT flagconsole_app TO" in caught.value.hint
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"GRANT {APP_ROLE} TO plain_owner")
    store = await open_store(owned)
    assert store._address.role == APP_ROLE
    await store.close()
