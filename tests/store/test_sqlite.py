"""The embedded store's own promises: durable, private, append-only, and safe to start several times at once."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys

import pytest

from flagconsole.domain.errors import InvalidInput, StoreUnavailable
from flagconsole.domain.requests import FlagCreate, Kill
from flagconsole.operations.service import Operations
from flagconsole.store import open_store
from flagconsole.store.opening import sqlite_path
from flagconsole.store.sqlite import SqliteStore

from ..conftest import ADMIN

OPEN_AND_WRITE = """
import asyncio, sys
from flagconsole.domain.requests import FlagCreate
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store import open_store

async def main():
    store = await open_store(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await Operations(store).create(SYSTEM, FlagCreate(flag_name=sys.argv[2]))
    await store.close()

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "flags.db")


async def test_commits_are_synced_and_logged_ahead(path):
    store = await SqliteStore.open(path)
    assert store._writer.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert store._writer.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    await store.close()


async def test_only_the_owner_can_read_the_files(path):
    store = await SqliteStore.open(path)
    await Operations(store).create(ADMIN, FlagCreate(flag_name="a.b"))
    for name in (path, path + "-wal", path + "-shm"):
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600
    await store.close()


@pytest.mark.parametrize("statement", ["UPDATE flag_change_log SET change_reason = 'x'", "DELETE FROM flag_change_log"])
async def test_the_log_refuses_update_and_delete(path, statement):
    store = await SqliteStore.open(path)
    await Operations(store).create(ADMIN, FlagCreate(flag_name="a.b"))
    outside = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        outside.execute(statement)
    outside.close()
    await store.close()


async def test_an_edited_entry_is_named_by_verification(path):
    store = await SqliteStore.open(path)
    operations = Operations(store)
    for name in ("a.one", "a.two", "a.three"):
        await operations.create(ADMIN, FlagCreate(flag_name=name))
    outside = sqlite3.connect(path)
    outside.execute("DROP TRIGGER flag_change_log_no_update")
    outside.execute("UPDATE flag_change_log SET changed_by = 'mallory' WHERE change_id = 2")
    outside.commit()
    outside.close()
    report = await operations.verify_audit(ADMIN)
    assert not report.verified
    assert report.first_broken == 2
    await store.close()


def test_several_processes_that_start_at_once_migrate_once(path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_WRITE, f"sqlite:{path}", f"a.flag{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n", timeout=30)
        assert process.returncode == 0
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT revision FROM store_head").fetchall() == [(4,)]
    assert connection.execute("SELECT count(*) FROM feature_flags").fetchone() == (4,)
    connection.close()


async def test_a_file_of_a_newer_version_is_left_alone(path):
    await (await SqliteStore.open(path)).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    with pytest.raises(StoreUnavailable, match="newer flagconsole"):
        await SqliteStore.open(path)


async def test_what_is_no_database_is_said_so(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, and longer than a header would be" * 100)
    with pytest.raises(StoreUnavailable, match=r"notes\.txt"):
        await SqliteStore.open(str(path))
    assert path.read_text().startswith("not a database")


async def test_a_lock_held_by_another_process_is_waited_for(path):
    store = await SqliteStore.open(path)
    await Operations(store).create(ADMIN, FlagCreate(flag_name="a.b"))
    outside = sqlite3.connect(path, isolation_level=None)
    outside.execute("BEGIN IMMEDIATE")
    kill = Operations(store).kill(ADMIN, "a.b", Kill(kill_reason="x"))
    task = asyncio.create_task(kill)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    outside.execute("COMMIT")
    outside.close()
    assert (await asyncio.wait_for(task, 5)).changed
    await store.close()


@pytest.mark.parametrize(
    "url", ["flags.db", "sqlite:", "sqlite::memory:", "mysql:x", "sqlite:a?mode=ro", "sqlite:a\0b"]
)
def test_urls_that_name_no_file_are_refused(url):
    with pytest.raises(InvalidInput) as caught:
        sqlite_path(url)
    assert caught.value.details["field"] == "store"


def test_urls_may_be_relative_or_absolute():
    assert sqlite_path("sqlite:x/y.db") == "x/y.db"
    assert sqlite_path("sqlite:/x/y.db") == "/x/y.db"
    assert sqlite_path("sqlite:///x/y.db") == "/x/y.db"


async def test_an_unknown_store_url_opens_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput):
        await open_store("flags.db")
    assert list(tmp_path.iterdir()) == []


async def create_many(operations):
    for number in range(100):
        await operations.create(ADMIN, FlagCreate(flag_name=f"a.b{number}", description="x" * 300))


async def test_a_full_disk_is_told_as_such_wherever_it_is_met(path):
    """By a statement, not only by the commit; and what can be read is still read."""
    store = await SqliteStore.open(path)
    try:
        operations = Operations(store)
        await operations.create(ADMIN, FlagCreate(flag_name="a.b"))
        pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreUnavailable, match="database or disk is full"):
            await create_many(operations)
        assert (await operations.verify_audit(ADMIN)).verified
        store._writer.execute(f"PRAGMA max_page_count = {pages + 100}")
        assert (await operations.kill(ADMIN, "a.b", Kill(kill_reason="bad"))).changed
    finally:
        await store.close()
