"""What is PostgreSQL's own: what isn't safe is refused, several servers share it, and a lost connection is found again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta

import psycopg
import pytest

from flagconsole.domain.errors import InvalidInput, OutcomeUnknown, StoreUnavailable
from flagconsole.domain.requests import FlagCreate, FlagUpdate, Kill
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import Operations
from flagconsole.store import open_store
from flagconsole.store.postgres_schema import SCHEMA_VERSION
from flagconsole.store.sqlite_schema import SCHEMA_VERSION as SQLITE_SCHEMA_VERSION

from ..conftest import ADMIN


@pytest.fixture
def backend() -> str:
    return "postgresql"


def run(url, *statements):
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def name_of(url):
    return url.partition("?")[0].rpartition("/")[2]


def test_both_backends_are_at_the_same_schema():
    assert SCHEMA_VERSION == SQLITE_SCHEMA_VERSION


async def test_the_log_is_append_only_in_the_database_itself(store, store_url, operations, flag):
    for statement in (
        "DELETE FROM flag_change_log",
        "UPDATE flag_change_log SET hash = ''",
        "TRUNCATE flag_change_log",
    ):
        with pytest.raises(psycopg.Error, match="append-only"):
            run(store_url, statement)
    assert (await operations.verify_audit(ADMIN)).verified


async def test_a_database_that_may_lose_acknowledged_changes_is_refused(store_url):
    run(store_url, f"ALTER DATABASE {name_of(store_url)} SET synchronous_commit = off")
    with pytest.raises(StoreUnavailable, match="synchronous_commit is off"):
        await open_store(store_url)
    run(store_url, f"ALTER DATABASE {name_of(store_url)} RESET synchronous_commit")
    run(store_url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    try:
        with pytest.raises(StoreUnavailable, match="fsync is off"):
            await open_store(store_url)
    finally:
        run(store_url, "ALTER SYSTEM RESET fsync", "SELECT pg_reload_conf()")


async def test_a_newer_schema_is_refused(store_url):
    run(store_url, "UPDATE schema_version SET version = 999")
    with pytest.raises(StoreUnavailable, match="version 999, made by a newer flagconsole"):
        await open_store(store_url)


async def test_several_servers_that_start_at_once_migrate_once(postgres, store_url):
    run(store_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    stores = await asyncio.gather(*(open_store(store_url) for _ in range(4)))
    heads = set()
    for store in stores:
        async with store.read() as reader:
            heads.add(await reader.head())
        await store.close()
    assert len(heads) == 1


async def test_the_time_is_the_databases(store_url):
    store = await open_store(store_url)
    try:
        async with store.read() as reader:
            told = await reader.now()
            assert await reader.now() == told
        with psycopg.connect(store_url) as connection:
            row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        assert isinstance(row[0], datetime)
        assert timedelta(0) <= row[0] - told < timedelta(seconds=30)
    finally:
        await store.close()


async def test_two_servers_count_revisions_without_a_gap_and_each_is_told(store, store_url, clock):
    other = await open_store(store_url, clock=clock)
    try:
        told = asyncio.Event()

        async def listen():
            async for _ in other.watch():
                async with other.read() as reader:
                    if (await reader.head()).revision == 40:
                        told.set()

        listener = asyncio.create_task(listen())
        both = (Operations(store), Operations(other))
        await both[0].create(ADMIN, FlagCreate(flag_name="pos.lite"))
        await both[1].create(ADMIN, FlagCreate(flag_name="pos.tips"))

        async def change(operations, name, count):
            for number in range(count):
                request = FlagUpdate(change_reason="x", current_state=FlagState.CANARY, canary_percentage=number + 1)
                await operations.update(ADMIN, name, request)

        await asyncio.gather(change(both[0], "pos.lite", 19), change(both[1], "pos.tips", 19))
        async with asyncio.timeout(20):
            await told.wait()
        listener.cancel()
        assert (await both[1].verify_audit(ADMIN)).entries == 40
    finally:
        await other.close()


async def test_a_kill_has_connections_of_its_own_and_goes_past_a_writer_that_waits(store, operations, flag):
    """Every connection for other writes is taken; the kill is done all the same."""
    async with store._writers.connection(), store._writers.connection():
        waiting = asyncio.create_task(operations.create(ADMIN, FlagCreate(flag_name="pos.tips")))
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            result = await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
        assert result.flag.current_state is FlagState.KILL
        assert not waiting.done()
    await waiting


async def test_lost_connections_are_made_anew(store, store_url, operations, flag):
    killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    run(store_url, killed)
    async with asyncio.timeout(20):
        while not await _killed(operations, flag):
            pass


async def _killed(operations, flag):
    """Whether the kill was done; a connection that was lost answers with an error once."""
    with suppress(StoreUnavailable):
        result = await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
        return result.flag.current_state is FlagState.KILL
    return False


async def test_a_commit_whose_answer_is_lost_is_not_said_to_have_failed(store, store_url, operations, flag):
    run(
        store_url,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON store_head DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION die()",
    )
    with pytest.raises(OutcomeUnknown, match="the connection was lost while it was committed"):
        await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    # A commit that the database refuses, with its connection intact, is known to be undone.
    run(
        store_url,
        "CREATE OR REPLACE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RAISE 'disk full'; END $$",
    )
    with pytest.raises(StoreUnavailable, match="disk full"):
        await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))


async def test_a_transaction_that_stands_still_gives_the_head_row_up(store, operations, flag):
    """As of a server that was stopped in the middle: a kill through another one waits some seconds, not for ever."""
    other = await open_store(store._address.url)
    try:
        async with asyncio.timeout(30):
            with suppress(StoreUnavailable, OutcomeUnknown):
                async with store.write() as tx:
                    await tx.head()
                    killed = await Operations(other).kill(ADMIN, flag, Kill(kill_reason="bad"))
        assert killed.flag.current_state is FlagState.KILL
    finally:
        await other.close()


async def test_an_unreachable_database_is_named_without_its_password(tmp_path):
    url = f"postgresql://ada:s3cret@/flags?host={tmp_path}"
    with pytest.raises(StoreUnavailable) as caught:
        await open_store(url)
    assert "database flags" in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_other_urls_are_refused():
    with pytest.raises(InvalidInput, match="postgresql://"):
        await open_store("mysql://localhost/flags")
