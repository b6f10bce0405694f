"""``schedule`` and ``notify`` on the embedded store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def flag(fc):
    assert fc("create", "pos.lite", "--reason", "for a test").code == 0
    return "pos.lite"


def test_a_change_is_scheduled_shown_and_taken_back(fc, flag):
    local = datetime.now(BERLIN).replace(hour=18, minute=0, second=0, microsecond=0) + timedelta(days=10)
    utc = f"{local.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    at = f"{local:%Y-%m-%dT%H:%M}"
    made = fc("schedule", flag, "on", "opening day", "--at", at, "--zone", "Europe/Berlin", "--json")
    assert made.code == 0, made.err
    schedule = made.json["schedule"]
    assert (schedule["at"], schedule["status"], schedule["decided_version"]) == (utc.replace(" ", "T"), "waiting", 1)
    listed = fc("schedule", "list", "--zone", "Europe/Berlin").out
    assert f"at {local:%Y-%m-%d} 18:00:00 {local:%Z} ({utc})" in listed
    assert f"{local:%Z} (" not in fc("schedule", "list", "--utc", "--zone", "Europe/Berlin").out
    assert f"waiting ({schedule['schedule_id']}" in fc("get", flag).out
    assert fc("get", flag, "--json").json["schedules"][0]["schedule"] == schedule
    fc("kill", flag, "bad")
    assert "suspended: pos.lite is killed" in fc("schedule", "list").out
    assert fc("schedule", "cancel", schedule["schedule_id"], "not now", "--dry-run").out.endswith(
        "would be cancelled\n"
    )
    assert fc("schedule", "cancel", schedule["schedule_id"], "not now").code == 0
    assert fc("schedule", "list").err == "nothing is scheduled\n"
    assert "cancelled: not now" in fc("schedule", "list", "--all").out
    assert fc("schedule", "cancel", "sched-nope").code == 3


def test_a_time_that_comes_twice_or_never_is_asked_for_in_utc(fc, flag):
    for at, why in (("2027-10-31T02:30", "comes twice"), ("2027-03-28T02:30", "doesn't exist")):
        asked = fc("schedule", "add", flag, "on", "go", "--at", at, "--zone", "Europe/Berlin")
        assert asked.code == 2
        assert why in asked.err
        assert f"{at[:10]}T00:30:00Z or {at[:10]}T01:30:00Z" in asked.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("on", "go"), "say when"),
        (("on", "go", "--at", "tomorrow"), "is not a time like"),
        (("on", "go", "--at", "2026-12-01T08:00", "--zone", "Mars/Dune"), "is not a time zone"),
        (("on", "go", "--at", "2020-01-01T00:00Z"), "must be in the future"),
        (("on", "go", "--at", "9999-12-31T23:59"), "beyond all clocks"),
        (("canary", "go", "--at", "2026-12-01T08:00"), "--percentage goes with canary"),
        (("kill", "go", "--at", "2026-12-01T08:00"), "is not one of"),
        (("on", "go", "--after-phase", "shadow"), "no rollout under way"),
    ],
)
def test_what_makes_no_sense_is_refused(fc, flag, arguments, message):
    refused = fc("schedule", flag, *arguments)
    assert refused.code != 0
    assert message in refused.err


def test_subscriptions_are_tested_from_a_file_and_belong_to_a_server(fc, home, flag):
    assert "0 waiting, 0 given up" in fc("notify", "list").out
    assert fc("notify", "test", "team").code == 3
    assert fc("notify", "retry", "no").code == 3
    file = home / "response.toml"
    file.write_text('[destinations.d]\nurl = "http://127.0.0.1:9/x"\n[subscriptions.team]\ndestination = "d"\n')
    tried = fc("notify", "test", "team", "--response", str(file))
    assert tried.code == 1
    assert "not delivered" in tried.out
    assert "needs https" in tried.out
