"""The guard on sqlite3 connections: statements really run, constraints really are checked, and nothing is ever kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from flagconsole.sdk.shadow import EffectKind, GuardBroken, GuardRefused, Shadow
from flagconsole.sdk.shadow.guards import hold as hold_module
from flagconsole.sdk.shadow.guards.connection import ConnectionGuard


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "service.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE invoices (number TEXT UNIQUE NOT NULL, total INTEGER CHECK (total > 0))")
        connection.execute("CREATE TABLE lines (invoice TEXT REFERENCES invoices (number))")
        connection.execute("INSERT INTO invoices VALUES ('A-1', 5)")
        connection.commit()
    return path


@pytest.fixture
def guard(path):
    return ConnectionGuard(lambda: sqlite3.connect(path), always=True)


def rows(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM invoices ORDER BY number").fetchall()


UNCHANGED = [("A-1", 5)]


def written_and_then(guard, act):
    with guard() as connection:
        connection.execute("WITH x AS (SELECT 'A-2') INSERT INTO invoices SELECT *, 1 FROM x")
        act(connection)


def test_statements_run_and_are_undone(path, guard):
    with guard() as connection:
        connection.execute("INSERT INTO invoices VALUES (?, ?)", ("A-2", 7))
        connection.commit()
        cursor = connection.cursor()
        cursor.execute("UPDATE invoices SET total = total + 1")
        assert cursor.rowcount == 2
        assert list(connection.execute("SELECT total FROM invoices ORDER BY number")) == [(6,), (8,)]
        assert (cursor.execute("SELECT count(*) FROM invoices").fetchone(), connection.in_transaction) == ((2,), True)
    assert (rows(path), guard.prevented) == (UNCHANGED, 2)


def test_constraints_are_really_checked(path, guard):
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"), guard() as connection:
        connection.execute("INSERT INTO invoices VALUES ('A-1', 7)")
    with pytest.raises(sqlite3.IntegrityError, match="CHECK"), guard() as connection:
        connection.executemany("INSERT INTO invoices VALUES (?, ?)", [("A-3", 1), ("A-4", -1)])
    assert (rows(path), guard.prevented) == (UNCHANGED, 3)


def test_a_rollback_undoes_what_was_written_so_far(path, guard):
    with guard() as connection:
        connection.execute("DELETE FROM invoices")
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM invoices").fetchone() == (1,)
        with connection:
            connection.execute("DELETE FROM invoices")
        with pytest.raises(sqlite3.IntegrityError), connection:
            connection.executemany("INSERT INTO invoices VALUES (?, ?)", [("A-9", 9), ("A-9", 9)])
    assert rows(path) == UNCHANGED


def test_outside_of_shadow_it_is_the_connection_itself(path):
    guard = ConnectionGuard(lambda: sqlite3.connect(path))
    with guard() as connection:
        assert type(connection) is sqlite3.Connection
        connection.execute("INSERT INTO invoices VALUES ('A-2', 7)")
        connection.commit()
    assert (len(rows(path)), guard.prevented) == (2, 0)

    def handler():
        with guard() as connection:
            connection.execute("INSERT INTO invoices VALUES ('A-3', 7)")
            connection.commit()

    result = Shadow("invoices.write").execute("invoice", handler, tenant="t1")
    assert (result.success, dict(result.effect_counts)) == (True, {EffectKind.DATABASE: 1})
    assert (result.effects[0].what, len(rows(path))) == ("INSERT INTO invoices", 2)


@pytest.mark.parametrize("mode", [{"isolation_level": None}])
def test_autocommit_refuses_to_start(path, mode):
    guard = ConnectionGuard(lambda: sqlite3.connect(path, **mode), always=True)
    with pytest.raises(GuardRefused, match="autocommit"), guard():
        pytest.fail("it started")
    assert rows(path) == UNCHANGED


def test_a_connection_that_is_in_a_transaction_keeps_what_was_written_before(path):
    with closing(sqlite3.connect(path)) as own:
        own.execute("INSERT INTO invoices VALUES ('A-2', 7)")

        class Kept:
            def __enter__(self):
                return own

            def __exit__(self, *_):
                return None

        with ConnectionGuard(Kept, always=True)() as connection:
            connection.execute("DELETE FROM invoices")
        own.commit()
    assert [row[0] for row in rows(path)] == ["A-1", "A-2"]


@pytest.mark.parametrize(
    "sql", ["COMMIT", "DROP TABLE lines", "CREATE TABLE x (a)", "PRAGMA user_version = 5", "ATTACH ':memory:' AS x"]
)
def test_statements_that_a_rollback_may_not_undo_are_refused_even_on_the_bare_connection(path, guard, sql):
    for bare in (False, True):
        with pytest.raises(GuardRefused):
            written_and_then(guard, lambda to, bare=bare: (to._connection if bare else to).execute(sql))
        assert rows(path) == UNCHANGED


def test_the_bare_connection_can_not_commit_either(path, guard):
    for commit in (
        lambda bare: bare.commit(),
        lambda bare: bare.executescript("INSERT INTO invoices VALUES ('A-3', 7);"),
        lambda bare: bare.rollback(),
        lambda bare: bare.__exit__(None, None, None),
    ):
        with pytest.raises(GuardRefused):
            written_and_then(guard, lambda to, commit=commit: commit(to._connection))
        assert rows(path) == UNCHANGED


@pytest.mark.parametrize("name", ["executescript", "backup", "set_authorizer", "no_such"])
def test_what_nobody_knows_to_be_undone_can_not_be_used(guard, name):
    with pytest.raises(GuardRefused, match=name), guard() as connection:
        getattr(connection, name)
    with pytest.raises(GuardRefused), guard() as connection:
        connection.isolation_level = None
    with pytest.raises(GuardRefused, match="executescript"), guard() as connection:
        connection.cursor().executescript("COMMIT")


def test_whoever_looks_before_taking_finds_rows(guard):
    with guard() as connection:
        cursor = connection.execute("SELECT number, total FROM invoices")
        assert (hasattr(cursor, "keys"), hasattr(connection, "executescript")) == (False, False)
        assert dict(cursor) == {"A-1": 5}


def test_a_hold_that_was_lost_is_said_loudly(path, guard, monkeypatch):
    monkeypatch.setattr(hold_module.SqliteHold, "_authorize", lambda *_: sqlite3.SQLITE_OK)

    def handler(number="A-2"):
        with guard() as connection:
            connection.execute("INSERT INTO invoices VALUES (?, 7)", (number,))
            connection._connection.commit()

    with pytest.raises(GuardBroken):
        handler()
    result = Shadow("invoices.write").execute("invoice", lambda: handler("A-3"), tenant="t1")
    assert [(item.error, item.source) for item in result.errors] == [("GuardBroken", "guard")]


def test_a_pool_gives_its_connection_back_unchanged(path):
    with closing(sqlite3.connect(path)) as own:

        class Pool:
            def __enter__(self):
                return own

            def __exit__(self, *_):
                own.commit()

        with ConnectionGuard(Pool, always=True)() as connection:
            connection.execute("DELETE FROM invoices")
        own.execute("INSERT INTO invoices VALUES ('A-2', 7)")
        own.execute("CREATE TABLE after (a)")
        own.commit()
    assert len(rows(path)) == 2


class Stranger:
    def cursor(self):
        raise AssertionError

    def close(self):
        pass


def test_a_driver_that_is_not_known_is_refused():
    with pytest.raises(GuardRefused, match="can't be held"), ConnectionGuard(Stranger, always=True)():
        pytest.fail("it started")
