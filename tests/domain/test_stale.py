"""What makes a flag stale, at the moment it becomes so and not before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from flagconsole.domain.flag import Flag
from flagconsole.domain.stale import StaleReason, findings_of, stable_seconds
from flagconsole.domain.states import FlagState
from flagconsole.operations.plan_file import shipped_plan

NOW = datetime(2026, 5, 1, tzinfo=UTC)
WEEK = 7 * 86_400.0
MONTH = timedelta(days=30)


def flag(state: FlagState = FlagState.OFF, *, changed: float = 0.0, created: float = 1.0, expires: date | None = None):
    at = NOW - timedelta(days=changed)
    return Flag(
        flag_name="a.b",
        current_state=state,
        expires_on=expires,
        version=1,
        created_at=NOW - timedelta(days=max(created, changed)),
        created_by="x",
        updated_at=at,
        updated_by="x",
    )


def reasons(*arguments):
    return [finding.reason for finding in findings_of(*arguments)]


def test_the_last_day_still_counts():
    assert reasons(flag(expires=date(2026, 5, 1)), NOW, WEEK, None, None) == []
    assert reasons(flag(expires=date(2026, 4, 30)), NOW, WEEK, None, None) == [StaleReason.EXPIRED]


@pytest.mark.parametrize(("state", "days", "stale"), [("on", 7, True), ("on", 6.9, False), ("canary", 90, False)])
def test_only_what_is_fully_on_gets_stable(state, days, stale):
    found = findings_of(flag(FlagState(state), changed=days), NOW, WEEK, None, None)
    assert bool(found) == stale
    if stale:
        assert (found[0].reason, found[0].since) == (StaleReason.STABLE, NOW)
        assert found[0].words == "on and unchanged for 7 days, its plan asks for 7"


def test_unused_is_said_only_where_operations_are_measured():
    old = flag(created=100)
    assert reasons(old, NOW, WEEK, None, None) == []
    assert reasons(old, NOW, WEEK, None, MONTH) == [StaleReason.UNUSED]
    assert reasons(old, NOW, WEEK, NOW - timedelta(days=29), MONTH) == []
    (found,) = findings_of(old, NOW, WEEK, NOW - timedelta(days=31), MONTH)
    assert (found.words, found.since) == (
        "no operation for 31 days (last measured on 2026-03-31)",
        NOW - timedelta(days=1),
    )
    assert reasons(flag(created=29), NOW, WEEK, None, MONTH) == [], "a new flag has had no time to be used"


def test_the_default_plan_asks_for_a_week():
    assert stable_seconds(shipped_plan("default").plan) == WEEK
