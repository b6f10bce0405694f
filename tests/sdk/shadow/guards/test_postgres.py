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


ENDING = [
    "COMMIT",
    " commit ; ",
    "END",
    "END TRANSACTION",
    "COMMIT AND CHAIN",
    "END AND NO CHAIN",
    "ROLLBACK",
    "ABORT AND CHAIN",
    "ROLLBACK; BEGIN",
    "PREPARE TRANSACTION 'x'",
    "/* a */ -- b\nCOMMIT",
    "-- a\rCOMMIT",
    "/* /* */ */ COMMIT",
    "SELECT 1; COMMIT",
    "SELECT 1 -- a\r; COMMIT",
    "SELECT 'a;'; COMMIT; BEGIN",
    "SELECT 1 AS a$x$; COMMIT; SELECT 2 AS b$x$",
    "SELECT 1 AS 🦊$x$; COMMIT; SELECT 2 AS b$x$",
    "SELECT $$ $$; COMMIT",
    "SELECT E'\\''; COMMIT --'",
    "DO $$ BEGIN COMMIT; END $$",
    "CLOSE ALL; COMMIT",
    "SET TRANSACTION READ WRITE",
]


@pytest.mark.parametrize("sql", ENDING)
def test_no_sql_ends_the_transaction_not_even_on_the_bare_connection(table, guard, numbers, sql):
    for take in (
        lambda connection: connection,
        lambda connection: connection._connection,
        lambda connection: connection._connection.cursor(),
        lambda connection: connection._connection.cursor(binary=True),
    ):
        with pytest.raises(GuardRefused):
            written_and_then(guard, table, lambda connection, take=take: take(connection).execute(sql))
        with pytest.raises(GuardRefused):
            written_and_then(guard, table, lambda connection, take=take: take(connection).execute(sql.encode()))
        assert numbers(table) == ["A-1"]


@pytest.mark.parametrize(
    "send",
    [
        lambda bare, sql: psycopg.Cursor(bare).execute(sql),
        lambda bare, sql: psycopg.ClientCursor(bare).execute(sql),
        lambda bare, sql: _sent(bare.pgconn, sql),
    ],
)
@pytest.mark.parametrize(
    "sql", [sql for sql in ENDING if ("COMMIT" in sql.upper() or "PREPARE" in sql) and not sql.startswith("CLOSE")]
)
def test_the_server_refuses_a_commit_that_nobody_checked(table, guard, numbers, send, sql):
    with pytest.raises((GuardBroken, GuardRefused, psycopg.Error)):
        written_and_then(guard, table, lambda connection: send(connection._connection, sql))
    assert numbers(table) == ["A-1"]


def test_where_every_wall_was_taken_down_it_is_said_loudly(table, guard, numbers):
    with pytest.raises(GuardBroken):
        written_and_then(guard, table, lambda connection: _sent(connection._connection.pgconn, "CLOSE ALL; COMMIT"))
    assert numbers(table) == ["A-1", "A-2"]


def _sent(pgconn, sql):
    result = pgconn.exec_(sql.encode())
    if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
        raise psycopg.OperationalError(result.error_message)


def test_after_a_commit_that_failed_nothing_more_runs(table, guard, numbers):
    def insisting(connection):
        bare = connection._connection
        with pytest.raises(psycopg.Error, match="nothing may be committed in shadow"):
            psycopg.Cursor(bare).execute("COMMIT")
        for again in (connection, bare):
            with pytest.raises(GuardRefused, match="has ended"):
                again.execute(f"INSERT INTO {table} (number) VALUES ('A-3')")

    with pytest.raises(GuardBroken):
        written_and_then(guard, table, insisting)
    assert numbers(table) == ["A-1"]


def test_a_pools_connection_comes_back_as_it_was(table, dsn, numbers):
    with psycopg.connect(dsn) as own:
        before = own.cursor_factory, own.server_cursor_factory

        class Pool:
            def __enter__(self):
                return own

            def __exit__(self, *_):
                return None

        guard = ConnectionGuard(Pool, always=True)
        for _ in range(3):
            with guard() as connection, connection.cursor("named") as cursor:
                assert cursor.execute(f"SELECT number FROM {table}").fetchall() == [("A-1",)]
        with guard() as connection, connection.cursor("named") as cursor, pytest.raises(GuardRefused):
            cursor.execute("SELECT 1; COMMIT")
        assert (own.cursor_factory, own.server_cursor_factory) == before
        assert own.execute("SELECT count(*) FROM pg_cursors").fetchone() == (0,)
        own.execute(f"INSERT INTO {table} (number) VALUES ('A-2')")
    assert numbers(table) == ["A-1", "A-2"]


def test_pipeline_mode_refuses_to_start(dsn):
    with psycopg.connect(dsn) as own, own.pipeline():

        class Kept:
            def __enter__(self):
                return own

            def __exit__(self, *_):
                return None

        with pytest.raises(GuardRefused, match="pipeline"), ConnectionGuard(Kept, always=True)():
            pytest.fail("it started")


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
        lambda session: session.connection().connection.dbapi_connection.execute("COMMIT"),
        lambda session: session.connection().connection.cursor().execute("SELECT 1; COMMIT"),
        lambda session: session.connection().exec_driver_sql("COMMIT AND CHAIN"),
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
