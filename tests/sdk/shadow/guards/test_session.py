"""The guard on SQLAlchemy sessions: the unit of work really flushes, constraints really are checked, and nothing is kept."""

from __future__ import annotations

import pytest

sqlalchemy = pytest.importorskip("sqlalchemy", reason="SQLAlchemy comes with the extra test")

from sqlalchemy import create_engine, event, select, text  # noqa: E402
from sqlalchemy.exc import DBAPIError, IntegrityError  # noqa: E402
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker  # noqa: E402

from flagconsole.sdk.shadow import EffectKind, GuardRefused, Shadow  # noqa: E402
from flagconsole.sdk.shadow.guards.session import SessionGuard  # noqa: E402


class Base(DeclarativeBase):
    pass


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)


@pytest.fixture
def engine(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'service.db'}")
    Base.metadata.create_all(engine)
    with sessionmaker(engine).begin() as session:
        session.add(Invoice(number="A-1"))
    yield engine
    engine.dispose()


@pytest.fixture
def sessions(engine):
    return sessionmaker(engine, expire_on_commit=False)


@pytest.fixture
def guard(sessions):
    return SessionGuard(sessions, always=True)


def numbers(engine):
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT number FROM invoices ORDER BY number")))


def written_and_then(guard, act, number="A-2"):
    with guard() as session:
        session.add(Invoice(number=number))
        session.flush()
        act(session)


def test_the_unit_of_work_runs_commits_and_is_undone(engine, guard):
    with guard() as session:
        invoice = Invoice(number="A-2")
        session.add(invoice)
        session.commit()
        assert invoice.id == 2
        invoice.number = "A-3"
        session.commit()
        assert list(session.scalars(select(Invoice.number).order_by(Invoice.number))) == ["A-1", "A-3"]
        session.add(Invoice(number="A-4"))
        session.rollback()
        with session.begin_nested():
            session.add(Invoice(number="A-5"))
        session.commit()
    assert (numbers(engine), guard.prevented) == (["A-1"], 3)


def test_constraints_are_really_checked(engine, guard):
    with pytest.raises(IntegrityError):
        written_and_then(guard, lambda session: session.commit(), number="A-1")
    with guard() as session:
        session.add(Invoice(number="A-1"))
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()
        session.add(Invoice(number="A-2"))
        session.commit()
    assert numbers(engine) == ["A-1"]


def test_outside_of_shadow_it_is_an_ordinary_session(engine, sessions):
    guard = SessionGuard(sessions)

    def write(number):
        with guard() as session:
            session.add(Invoice(number=number))
            session.commit()

    write("A-2")
    result = Shadow("invoices.write").execute("invoice", lambda: write("A-3"), tenant="t1")
    assert (result.success, dict(result.effect_counts)) == (True, {EffectKind.DATABASE: 1})
    assert numbers(engine) == ["A-1", "A-2"]


@pytest.mark.parametrize(
    "act",
    [
        lambda session: session.execute(text("COMMIT")),
        lambda session: session.execute(text("CREATE TABLE x (a)")),
        lambda session: session.execute(text("DROP TABLE invoices")),
        lambda session: session.connection().commit(),
        lambda session: session.connection().connection.dbapi_connection.commit(),
        lambda session: Base.metadata.drop_all(session.connection()),
    ],
)
def test_commits_below_the_session_and_ddl_are_refused(engine, guard, act):
    with pytest.raises((GuardRefused, DBAPIError)):
        written_and_then(guard, act)
    assert numbers(engine) == ["A-1"]


def test_autocommit_refuses_to_start(engine):
    sessions = sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"))
    with pytest.raises(GuardRefused, match="autocommit"), SessionGuard(sessions, always=True)():
        pytest.fail("it started")


def test_an_engine_that_begins_by_itself_is_held_too(engine, guard):
    # What SQLAlchemy's documentation advises for savepoints on SQLite.
    @event.listens_for(engine, "connect")
    def connect(connection, record):
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN")

    engine.dispose()
    with guard() as session:
        session.add(Invoice(number="A-2"))
        session.commit()
    assert numbers(engine) == ["A-1"]


def test_sessions_on_somebodys_connection_are_refused(engine):
    with (
        engine.connect() as connection,
        pytest.raises(GuardRefused, match="bind them to an engine"),
        SessionGuard(sessionmaker(connection), always=True)(),
    ):
        pytest.fail("it started")


def test_the_connection_goes_back_into_the_pool_as_it_was(engine, guard, sessions):
    for _ in range(20):
        with guard() as session:
            session.add(Invoice(number="A-2"))
            session.commit()
    with sessions() as session:
        session.execute(text("CREATE TABLE later (a)"))
        session.add(Invoice(number="A-2"))
        session.commit()
    assert numbers(engine) == ["A-1", "A-2"]
