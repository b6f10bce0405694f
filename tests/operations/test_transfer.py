"""Moving a store to the other kind of database and back: everything arrives, or nothing has changed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from flagconsole.cli.main import run
from flagconsole.demo.world import build
from flagconsole.domain.errors import ChainBroken, StoreInUse, StoreUnavailable, TargetNotEmpty
from flagconsole.domain.requests import FlagCreate, KeyCreate
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.operations.store_environments import create_environment, environment_views, rename_environment
from flagconsole.operations.transfer import transfer
from flagconsole.rollout.lease import Leadership
from flagconsole.sdk import FlagClient
from flagconsole.server.app import create_app
from flagconsole.store import open_store

from ..conftest import ADMIN
from ..fake_server import until
from ..live_server import LiveServer


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with three weeks behind it: changes, tenants, cohorts, rollouts with verdicts, an incident, measurements."""
    path = tmp_path_factory.mktemp("lived") / "flags.db"
    asyncio.run(build(f"sqlite:{path}", 1))
    return path


@pytest.fixture
def source(lived: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copy(lived, tmp_path / "source.db"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A store with one flag."""

    async def make() -> None:
        store = await open_store(f"sqlite:{tmp_path / 'small.db'}")
        await Operations(store).create(SYSTEM, FlagCreate(flag_name="pos.lite"))
        await store.close()

    asyncio.run(make())
    return tmp_path / "small.db"


@pytest.fixture
def database(postgres: Any) -> str:
    """A database without even the tables."""
    url: str = postgres()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


def contents(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything in an embedded store's tables, with the order in which rows were made."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = [name for name in names if not name.startswith(("_", "sqlite_"))]
        ordered = {"rollout_steps", "playbook_runs"}
        return {
            name: sorted(
                connection.execute(f"SELECT {'rowid, ' if name in ordered else ''}* FROM {name}").fetchall(), key=repr
            )
            for name in kept
        }


def fill_empty_tables(path: Path) -> None:
    """A row in each table that has none, so that every column of every table is moved once."""
    made = {"INTEGER": 2**53, "FLOAT": 0.1, "REAL": 0.1, "BLOB": b"\x00\xff\\", "TEXT": "ü\t\n\\N 'x'"}
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for name, rows in contents(path).items():
            if not rows:
                columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
                marks = ", ".join("?" * len(columns))
                connection.execute(f"INSERT INTO {name} VALUES ({marks})", [made[column[2]] for column in columns])


def tables_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert row is not None
        return int(row[0])


async def test_there_and_back_again_everything_is_the_same(source, database, tmp_path):
    await rename_environment(f"sqlite:{source}", "demo", "production", "ada")
    fill_empty_tables(source)
    before = contents(source)
    there = await transfer(f"sqlite:{source}", database)
    back = await transfer(database, f"sqlite:{tmp_path / 'back.db'}")
    assert there == back
    assert contents(tmp_path / "back.db") == before == contents(source)
    assert {name: len(rows) for name, rows in before.items()} == there.tables
    assert (there.revision, min(there.tables.values())) == (there.entries, 1)
    assert os.stat(tmp_path / "back.db").st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.db", "source.db"]


def rounded(answer: httpx.Response) -> Any:
    """An answer whose numbers don't show in which order they were summed up."""
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return answer.text
    return json.loads(answer.text, parse_float=lambda text: f"{float(text):.9g}")


async def answers_of(url: str, key: str, at: datetime, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What every route that reads answers, at one moment and with nobody tending the store."""
    for worker in ("responder.Responder", "rollout_tender.RolloutTender", "metric_keeper.MetricKeeper"):
        monkeypatch.setattr(f"flagconsole.server.{worker}.start", lambda self: None)
    store = await open_store(url, clock=lambda: at)
    try:
        app = create_app(Operations(store, environment="test"))
        keys = {"Authorization": f"Bearer {key}"}
        found: dict[str, Any] = {}
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=keys) as client:
                for path, methods in app.openapi()["paths"].items():
                    if "get" not in methods or path in {"/metrics", "/api/stream"} or "stream" in path:
                        continue
                    for flag in (
                        "invoices.write",
                        "estimates.ai_pricing",
                        "ai.vector_search",
                        "pos.inventory_tracking",
                    ):
                        where = path.replace("{name}", flag).replace("{incident_id}", "INC-1")
                        if "{" not in where and where not in found:
                            answer = await client.get(where)
                            found[where] = (answer.status_code, rounded(answer))
        return found
    finally:
        await store.close()


async def test_every_route_answers_the_same_from_its_new_place(source, database, tmp_path, monkeypatch):
    store = await open_store(f"sqlite:{source}")
    made = await Operations(store).create_key(SYSTEM, KeyCreate(name="reader", role=Role.ADMIN))
    await store.close()
    await transfer(f"sqlite:{source}", database)
    at = datetime.now(UTC)
    before = await answers_of(f"sqlite:{source}", made.secret, at, monkeypatch)
    after = await answers_of(database, made.secret, at, monkeypatch)
    assert sum(status == 200 for status, _ in before.values()) > 30, {
        path: status for path, (status, _) in before.items()
    }
    for path, answer in before.items():
        assert after[path] == answer, path


async def test_numbers_that_the_database_counts_go_on(source, database):
    await transfer(f"sqlite:{source}", database)
    with psycopg.connect(database, autocommit=True) as connection:
        for table, column in (("verdicts", "verdict_id"), ("metric_feedback", "feedback_id"), ("cohorts", "cohort_id")):
            row = connection.execute(
                f"SELECT nextval(pg_get_serial_sequence('{table}', '{column}')), max({column}) FROM {table}"
            ).fetchone()
            assert row is not None
            assert row[0] == row[1] + 1


def test_an_sdk_goes_on_where_the_server_comes_back_on_the_other_database(small, database, tmp_path):
    """Same address, same key, same lineage: nothing is fetched anew, and the next kill arrives."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with LiveServer(f"sqlite:{small}", port=port) as server:
        key = server.keys[Role.SDK]
        client = FlagClient(server.url, key, "sdk-1", service="test", cache_dir=tmp_path / "cache")
        until(lambda: client.status.revision == 1, 20)
    try:
        asyncio.run(transfer(f"sqlite:{small}", database))
        with LiveServer(database, port=port) as server:
            killed = server.request("POST", "/api/flags/pos.lite/kill", json={"kill_reason": "bad"})
            assert (killed.status_code, killed.json()["revision"]) == (200, 2)
            until(lambda: client.state("pos.lite", "t") is FlagState.KILL, 30)
            assert client.status.revision == 2
    finally:
        client.close()


async def test_a_backup_that_is_put_back_is_a_new_lineage(small, tmp_path):
    moved = await transfer(f"sqlite:{small}", f"sqlite:{tmp_path / 'back.db'}", new_lineage=True)
    old, new = await open_store(f"sqlite:{small}"), await open_store(f"sqlite:{tmp_path / 'back.db'}")
    async with old.read() as before, new.read() as after:
        assert (await after.head()).epoch == moved.epoch > (await before.head()).epoch
        assert (await after.head())[1:] == (await before.head())[1:]
    await old.close()
    await new.close()


async def test_a_destination_with_anything_in_it_is_refused(small, postgres, database, tmp_path):
    full = postgres()
    store = await open_store(full)
    await Operations(store).create(ADMIN, FlagCreate(flag_name="other.flag"))
    await store.close()
    with pytest.raises(TargetNotEmpty, match="revision 1; rows in feature_flags"):
        await transfer(f"sqlite:{small}", full)
    (tmp_path / "there.db").touch()
    with pytest.raises(TargetNotEmpty, match="the file exists"):
        await transfer(f"sqlite:{small}", f"sqlite:{tmp_path / 'there.db'}")
    # Only tables, made by a server or by init, are no obstacle.
    assert (await transfer(f"sqlite:{small}", postgres())).revision == 1


async def test_a_store_that_is_tended_or_written_to_is_refused(small, database):
    store = await open_store(f"sqlite:{small}")
    try:
        leader = Leadership(store)
        await leader.acquire()
        with pytest.raises(StoreInUse, match="Stop its servers"):
            await transfer(f"sqlite:{small}", database)
        await leader.release()
        async with store.write() as tx:
            with pytest.raises(StoreInUse, match="Stop what works on it"):
                await transfer(f"sqlite:{small}", database)
            tx.discard()
    finally:
        await store.close()
    await transfer(f"sqlite:{small}", database)
    with psycopg.connect(database) as writer:
        writer.execute("SELECT 1 FROM store_head FOR UPDATE")
        writer.execute("UPDATE store_head SET revision = revision")
        with pytest.raises(StoreInUse):
            await transfer(database, f"sqlite:{small.parent / 'never.db'}")
        writer.rollback()
    assert not (small.parent / "never.db").exists()


async def test_nothing_stays_of_a_move_that_fails(small, database, tmp_path, monkeypatch):
    from flagconsole.operations import transfer as module

    async def spoil(source, destination, table, columns, move=module._move):
        if table == "store_head":
            raise StoreUnavailable(problem="pulled the plug")
        return await move(source, destination, table, columns)

    monkeypatch.setattr(module, "_move", spoil)
    for to_url in (database, f"sqlite:{tmp_path / 'never.db'}"):
        with pytest.raises(StoreUnavailable, match="pulled the plug"):
            await transfer(f"sqlite:{small}", to_url)
    assert tables_of(database) == 0
    assert [path.name for path in tmp_path.iterdir() if "never" in path.name] == []


async def test_a_row_that_arrives_changed_is_noticed(small, database, monkeypatch):
    """A trigger in the destination, of whatever origin, that changes what is stored."""
    from flagconsole.store import postgres_end

    async def migrate(connection, schema, really=postgres_end.migrate):
        await really(connection, schema)
        await connection.execute(
            "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.owner := 'me'; RETURN NEW; END $$"
        )
        await connection.execute(
            "CREATE TRIGGER spoil BEFORE INSERT ON feature_flags FOR EACH ROW EXECUTE FUNCTION spoil()"
        )

    monkeypatch.setattr(postgres_end, "migrate", migrate)
    with pytest.raises(StoreUnavailable, match="feature_flags isn't the same at its new place"):
        await transfer(f"sqlite:{small}", database)
    assert tables_of(database) == 0


async def test_a_log_that_was_edited_is_refused(small, database):
    with contextlib.closing(sqlite3.connect(small)) as connection, connection:
        connection.execute("DROP TRIGGER flag_change_log_no_update")
        connection.execute("UPDATE flag_change_log SET changed_by = 'nobody'")
    with pytest.raises(ChainBroken, match=r"broken \(entry 1"):
        await transfer(f"sqlite:{small}", database)


def test_the_command_says_what_it_moved_and_a_dry_run_leaves_nothing(small, database, capsys):
    arguments = ["migrate", "--from", f"sqlite:{small}", "--to", database]
    assert run([*arguments, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("would move ")
    assert tables_of(database) == 0
    assert run([*arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["revision"], said["entries"], said["verified"], said["tables"]["feature_flags"]) == (1, 1, True, 1)
    assert run(arguments) == 5
    assert "isn't an empty store" in capsys.readouterr().err
    assert run(["migrate", "--from", f"sqlite:{small}x", "--to", database]) == 3


async def test_all_environments_move_or_none(small, database, tmp_path):
    url = f"sqlite:{small}"
    await rename_environment(url, "local", "production", "ada")
    await create_environment(url, "pre-prod", "ada")
    store = await open_store(url, partition="pre-prod")
    await Operations(store).create(SYSTEM, FlagCreate(flag_name="pos.tips"))
    await store.close()
    before = [(one.name, one.epoch, one.revision) for one in (await environment_views(url)).environments]
    with psycopg.connect(database, autocommit=True) as connection:
        # What is in the way of the second one keeps the first one from moving too.
        connection.execute("CREATE SCHEMA flagconsole_pre_prod")
        connection.execute("CREATE TABLE flagconsole_pre_prod.leases (holder text)")
    with pytest.raises(StoreUnavailable):
        await transfer(url, database)
    assert tables_of(database) == 0
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA flagconsole_pre_prod CASCADE")
    assert (await transfer(url, database, dry_run=True)).further["pre-prod"].revision == 1
    assert tables_of(database) == 0
    await transfer(url, database)
    back = f"sqlite:{tmp_path / 'back.db'}"
    blocked = tmp_path / "back.pre-prod.db"
    blocked.touch()
    with pytest.raises(TargetNotEmpty):
        await transfer(database, back)
    assert not (tmp_path / "back.db").exists()
    blocked.unlink()
    moved = await transfer(database, back)
    assert moved.further["pre-prod"].entries == 1
    for place in (database, back):
        assert [(one.name, one.epoch, one.revision) for one in (await environment_views(place)).environments] == before
    assert contents(tmp_path / "back.pre-prod.db") == contents(tmp_path / "small.pre-prod.db")
