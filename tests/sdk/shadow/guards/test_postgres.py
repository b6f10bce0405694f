"""The guards on PostgreSQL, through psycopg and through SQLAlchemy."""

from __future__ import annotations

import pytest

from flagconsole.sdk.shadow import GuardBroken, GuardRefused
from flagconsole.sdk.shadow.guards.connection import ConnectionGuard
from flagconsole.sdk.shadow.guards.session import SessionGuard

psycopg = pytest.importorskip("psycopg", reason="psycopg comes with the extra test")

TABLE = "guarded_invoices"


@pytest.fixture(scope="module")
def dsn(postgres):
    return postgres()


@pytest.fixture
def table(dsn):
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE {TABLE} (id serial PRIMARY KEY, number text UNIQUE NOT NULL)")
        connection.execute(f"INSERT INTO {TABLE} (number) VALUES ('A-1')")
        yield TABLE
        connection.execute(f"DROP TABLE {TABLE}")


@pytest.fixture
def guard(dsn):
    return ConnectionGuard(lambda: psycopg.connect(dsn), always=True)


@pytest.fixture
def numbers(dsn):
    def read(table):
        with psycopg.connect(dsn) as connection:
            return [row[0] for row in connection.execute(f"SELECT number FROM {table} ORDER BY number")]

    return read


def written_and_then(guard, table, act):
    with guard() as connection:
        connection.execute(f"INSERT INTO {table} (number) VALUES (%s)", ["A-2"])
        act(connection)


def test_statements_run_and_are_undone(table, guard, numbers):
    with guard() as connection:
        connection.execute(f"INSERT INTO {table} (number) VALUES (%s)", ["A-2"])
        connection.commit()
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {table} (number) VALUES (%s)", [("A-3",), ("A-4",)])
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (4,)
        connection.rollback()
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
        with connection:
            connection.execute(f"UPDATE {table} SET number = 'B'")
    assert (numbers(table), guard.prevented) == (["A-1"], 4)


def test_constraints_are_really_checked(table, guard, numbers):
    with pytest.raises(psycopg.errors.UniqueViolation), guard() as connection:
        connection.execute(f"INSERT INTO {table} (number) VALUES ('A-1')")
    assert numbers(table) == ["A-1"]


@pytest.mark.parametrize(
    "act",
    [
        lambda connection: connection.execute("COMMIT"),
        lambda connection: connection.execute(b"SELECT 1; COMMIT"),
        lambda connection: connection.execute(psycopg.sql.SQL("CREATE TABLE x (a int)")),
        lambda connection: connection.execute("SELECT setval('x', 5)"),
        lambda connection: connection.cursor().copy("COPY x FROM STDIN"),
        lambda connection: connection.cursor().stream("COMMIT"),
        lambda connection: connection._connection.commit(),
        lambda connection: connection._connection.set_autocommit(True),
    ],
)
def test_nothing_gets_out(table, guard, numbers, act):
    with pytest.raises((GuardRefused, psycopg.ProgrammingError)):
        written_and_then(guard, table, act)
    assert numbers(table) == ["A-1"]


def test_a_commit_on_the_bare_connection_is_said_loudly(table, guard, numbers):
    with pytest.raises(GuardBroken):
        written_and_then(guard, table, lambda connection: connection._connection.execute("COMMIT"))
    assert numbers(table) == ["A-1", "A-2"]


def test_autocommit_refuses_to_start(dsn):
    with pytest.raises(GuardRefused, match="autocommit"), ConnectionGuard(
        lambda: psycopg.connect(dsn, autocommit=True), always=True
    )():  # fmt: skip
        pytest.fail("it started")


def test_a_connection_that_is_in_a_transaction_keeps_what_was_written_before(table, dsn, numbers):
    with psycopg.connect(dsn) as own:
        own.execute(f"INSERT INTO {table} (number) VALUES ('A-2')")

        class Kept:
            def __enter__(self):
                return own

            def __exit__(self, *_):
                return None

        with ConnectionGuard(Kept, always=True)() as connection:
            connection.execute(f"DELETE FROM {table}")
    assert numbers(table) == ["A-1", "A-2"]


def test_through_sqlalchemy(table, dsn, numbers):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn))
    guard = SessionGuard(orm.sessionmaker(engine), always=True)
    insert = sqlalchemy.text(f"INSERT INTO {table} (number) VALUES (:number)")
    for _ in range(3):
        with guard() as session:
            session.execute(insert, [{"number": "A-2"}, {"number": "A-3"}])
            session.commit()
            session.execute(insert, {"number": "A-4"})
            session.rollback()
    assert (numbers(table), guard.prevented) == (["A-1"], 9)
    for act in (
        lambda session: session.execute(insert, {"number": "A-1"}),
        lambda session: session.execute(sqlalchemy.text("COMMIT")),
        lambda session: session.connection().commit(),
        lambda session: session.execute(sqlalchemy.text("DROP TABLE x")),
    ):
        with pytest.raises((GuardRefused, sqlalchemy.exc.DBAPIError)):
            acted(guard, act)
        assert numbers(table) == ["A-1"]
    with orm.sessionmaker(engine)() as session:
        session.execute(insert, {"number": "A-5"})
        session.commit()
    assert numbers(table) == ["A-1", "A-5"]
    autocommit = orm.sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"))
    with pytest.raises(GuardRefused, match="autocommit"), SessionGuard(autocommit, always=True)():
        pytest.fail("it started")
    engine.dispose()


def acted(guard, act):
    with guard() as session:
        act(session)
        session.commit()
