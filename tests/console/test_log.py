"""The part of the audit log that is held: pages of older changes, and those around a time."""

from __future__ import annotations

from typing import Any

import pytest

from flagconsole.console.log import Log
from flagconsole.console.questions import Questions
from flagconsole.console.rows import ChangeRow, change_row
from flagconsole.domain.errors import Unreachable
from flagconsole.domain.moment import moment_of


def rows_of(server: Any, newest: int) -> list[ChangeRow]:
    """What the console knows without asking: the newest changes."""
    return [change_row(item.model_dump(mode="json")) for item in reversed(server.changes[-newest:])]


@pytest.fixture
def long_log(server: Any) -> Any:
    """A thousand changes, a minute apart."""
    for number in range(1000):
        server.change(("pos.lite", "billing.retry")[number % 2], "off", reason=str(number), silent=True)
    for index, change in enumerate(server.changes):
        at = server._now.timestamp() - 60 * (len(server.changes) - index)
        server.changes[index] = change.model_copy(
            update={"changed_at": type(server._now).fromtimestamp(at, server._now.tzinfo)}
        )
    return server


def log_of(server: Any) -> Log:
    return Log(Questions(lambda: server, lambda _: None))


async def test_older_pages_follow_on_without_gap_or_double(long_log: Any) -> None:
    log, newest = log_of(long_log), rows_of(long_log, 200)
    for _ in range(3):
        await log.fetch_older(newest)
    ids = [row.change_id for row in log.rows(newest)]
    assert ids == list(range(len(long_log.changes), len(long_log.changes) - 500, -1))
    assert log.more


async def test_one_flag_has_its_own_pages(long_log: Any) -> None:
    log, newest = log_of(long_log), rows_of(long_log, 50)
    log.choose("pos.lite")
    await log.fetch_older(newest)
    rows = log.rows(newest)
    assert {row.flag_name for row in rows} == {"pos.lite"}
    assert len(rows) == 25 + 100


async def test_around_a_time_is_found_in_few_questions(long_log: Any) -> None:
    log, newest = log_of(long_log), rows_of(long_log, 200)
    now = long_log._now.timestamp()
    moment = moment_of("10h", now)
    assert moment is not None
    long_log.asked_history.clear()
    await log.fetch_around(moment, long_log.revision)
    nearest = min(log.rows(newest), key=lambda row: abs(row.at - moment))
    assert abs(nearest.at - moment) <= 30
    assert len(long_log.asked_history) <= 12, "found by halving, not by reading everything"


async def test_before_the_first_change_there_is_the_first(long_log: Any) -> None:
    log, newest = log_of(long_log), rows_of(long_log, 200)
    await log.fetch_around(0.0, long_log.revision)
    assert min(row.change_id for row in log.rows(newest)) == 1


async def test_what_cannot_be_had_is_said(long_log: Any) -> None:
    log = Log(Questions(lambda: None, lambda _: None))
    await log.fetch_older(())
    assert log.problem == "not connected yet"

    async def down(*_: Any, **__: Any) -> Any:
        raise Unreachable(url="http://x", problem="refused")

    long_log.history = down
    log = log_of(long_log)
    await log.fetch_older(())
    assert "refused" in log.problem


async def test_a_page_of_another_flag_that_comes_late_is_dropped(long_log: Any) -> None:
    log = log_of(long_log)
    page = await Questions(lambda: long_log, lambda _: None).older_changes(None, None)
    log.choose("pos.lite")
    log._take(page, None)
    assert log.rows(()) == []


def test_entries_show_whether_their_content_gives_their_hash(server: Any) -> None:
    assert all(row.intact for row in rows_of(server, 5))
    forged = server.changes[-1].model_copy(update={"changed_by": "somebody else"})
    assert change_row(forged.model_dump(mode="json")).intact is False
