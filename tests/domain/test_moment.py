"""Moments as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from flagconsole.domain.moment import duration_of, moment_of, offset_text

NOW = datetime(2026, 3, 14, 3, 20, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("03:14", "2026-03-14T03:14:00"),
        ("03:14Z", "2026-03-14T03:14:00"),
        ("3:14:10", "2026-03-14T03:14:10"),
        ("23:50", "2026-03-13T23:50:00"),
        ("2026-03-12 08:00", "2026-03-12T08:00:00"),
        ("2026-03-12T08:00:30", "2026-03-12T08:00:30"),
        ("2026-03-12", "2026-03-12T00:00:00"),
        ("20m", "2026-03-14T03:00:00"),
        ("-2h", "2026-03-14T01:20:00"),
        ("1d ago", "2026-03-13T03:20:00"),
    ],
)
def test_moment(text: str, meant: str) -> None:
    moment = moment_of(text, NOW)
    assert moment is not None
    assert datetime.fromtimestamp(moment, UTC).isoformat() == meant + "+00:00"


@pytest.mark.parametrize("text", ["", "noon", "25:00", "03:14:99", "2026-13-01", "99999999m", "1e3m"])
def test_no_moment(text: str) -> None:
    assert moment_of(text, NOW) is None


def test_durations_and_offsets() -> None:
    assert duration_of("2h") == 7200
    assert duration_of("soon") is None
    assert [offset_text(value) for value in (0.2, -75, 14, 7300, -200_000)] == ["=", "-1m", "+14s", "+2h", "-2d"]
