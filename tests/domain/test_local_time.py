"""A local time that comes twice, or never, is told apart from one that is clear."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flagconsole.domain.local_time import local_text, readings

BERLIN = ZoneInfo("Europe/Berlin")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def local(*parts: int) -> datetime:
    return datetime(*parts)  # noqa: DTZ001  # what a clock on the wall says


def test_most_times_are_clear():
    found = readings(local(2026, 12, 1, 18, 0), BERLIN)
    assert found.clear
    assert found.first == utc(2026, 12, 1, 17, 0)
    assert local_text(found.first, BERLIN) == "2026-12-01 18:00:00 CET"


def test_the_hour_that_clocks_go_back_by_comes_twice():
    found = readings(local(2026, 10, 25, 2, 30), BERLIN)
    assert found.exists
    assert not found.clear
    assert (found.first, found.second) == (utc(2026, 10, 25, 0, 30), utc(2026, 10, 25, 1, 30))


def test_the_hour_that_clocks_go_forward_by_never_comes():
    found = readings(local(2026, 3, 29, 2, 30), BERLIN)
    assert not found.exists
    assert not found.clear
    assert (found.first, found.second) == (utc(2026, 3, 29, 0, 30), utc(2026, 3, 29, 1, 30))


def test_the_machines_own_clock_is_asked_where_no_zone_is_given():
    found = readings(local(2026, 12, 1, 18, 0), None)
    assert found.first.astimezone().replace(tzinfo=None) == local(2026, 12, 1, 18, 0)
