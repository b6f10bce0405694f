"""The canary dashboard as a user meets it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flagconsole.console.canary_events import event_rows
from flagconsole.console.canary_view import criteria_rows, rail_line, standing_line, verdict_rows
from flagconsole.console.line import text_of
from flagconsole.console.rollouts import rollout_row
from flagconsole.console.state import ConsoleState
from flagconsole.console.suggesting import failing_reason
from flagconsole.console.verdicts import failing_since
from flagconsole.domain.role import Role
from flagconsole.domain.verdict import CohortBasis, VerdictKind

from .conftest import NOW
from .fake_rollouts import FakeRollouts, calm, going_bad

Console = Any
NAME = "pos.loyalty_points"
AT = NOW.timestamp()


@pytest.fixture
def fake() -> FakeRollouts:
    return FakeRollouts(NOW)


def test_two_pauses_have_two_names(fake: FakeRollouts) -> None:
    held = rollout_row(fake.rollout_of(NAME, progression_paused=True).model_dump(mode="json"))
    frozen = rollout_row(fake.rollout_of(NAME, exposure_frozen=True).model_dump(mode="json"))
    assert "PROGRESSION PAUSED" in text_of(standing_line(held, AT))
    assert "EXPOSURE FROZEN" not in text_of(standing_line(held, AT))
    assert "EXPOSURE FROZEN" in text_of(standing_line(frozen, AT))
    assert "PROGRESSION PAUSED" not in text_of(standing_line(frozen, AT))


def test_the_rail_counts_fresh_time_and_not_the_clock(fake: FakeRollouts) -> None:
    row = rollout_row(fake.rollout_of(NAME, ago=7200, fresh_seconds=900.0).model_dump(mode="json"))
    assert "canary 10 0.2 of 48 h fresh" in text_of(rail_line(row, 200))
    assert "canary 10" in text_of(rail_line(row, 60)), "short of room, the phases stay"


def test_time_is_told_in_one_unit_and_in_shadow_nobody_has_it(fake: FakeRollouts) -> None:
    judged = fake.verdict(NAME).model_copy(
        update={"cohort": CohortBasis.EVERYONE, "phase": "shadow", "because": "10.0 of 48 h with fresh data"}
    )
    told = fake.rollout_of(NAME, "shadow", ago=36_000, verdict=judged).model_dump(mode="json")
    for width in (80, 200):
        row = rollout_row(told)
        rows = [rail_line(row, width), standing_line(row, AT), *verdict_rows(ConsoleState(), row, AT, width)]
        said = "\n".join(map(text_of, rows))
        assert "shadow 10.0 of 24 h fresh" in said
        assert "after 14.0 h more of fresh data" in said
        assert ("nobody has it in shadow" in said) is (width == 200)
        assert "everyone" not in said
        assert "operations of" in said
        assert "…" not in said, "facts are told whole or not"


def test_what_was_not_judged_never_reads_as_a_pass(fake: FakeRollouts) -> None:
    row = rollout_row(fake.rollout_of(NAME).model_dump(mode="json"))
    said = "\n".join(text_of(line) for line in criteria_rows(ConsoleState(), row, AT, 120))
    assert "PASS" not in said.replace("PASSES", "")
    assert "not yet" in said


def test_a_verdict_of_the_phase_before_is_not_shown_as_this_ones(fake: FakeRollouts) -> None:
    rollout = fake.rollout_of(NAME, "canary 50", verdict=fake.verdict(NAME))
    row = rollout_row(rollout.model_dump(mode="json"))
    assert row.judged is None


def test_only_verdicts_that_differ_are_events(fake: FakeRollouts) -> None:
    from flagconsole.console import watched

    state = ConsoleState()
    fake.rollout_of(NAME)
    fake.send = lambda frame: None
    for ago, kind in ((120, "pass"), (90, "fail"), (60, "fail"), (30, "fail")):
        fake.look(NAME, fake.verdict(NAME, VerdictKind(kind), ago=float(ago)))
    state = watched.with_verdicts(state, NAME, [item.model_dump(mode="json") for item in fake.looks[NAME]])
    rows = [text_of(row) for row in event_rows(state, NAME, AT, 10)]
    assert sum("judge" in row for row in rows) == 1
    assert "03:06:01" in rows[0], "when it began to fail, not when it was last looked at"


def test_a_rollbacks_watch_is_told_beside_the_phases_own_verdict(fake: FakeRollouts) -> None:
    from flagconsole.console import watched

    fake.send = lambda frame: None
    failing = fake.verdict(NAME, VerdictKind.FAIL, ago=10.0)
    row = rollout_row(fake.rollout_of(NAME, verdict=failing, status="rolling_back").model_dump(mode="json"))
    for ago in (100, 70, 40, 10):
        fake.look(NAME, fake.verdict(NAME, VerdictKind.FAIL, ago=float(ago)))
        kept = {
            "watched_since": NOW - timedelta(seconds=110),
            "because": "not yet within limits (23 tenants that kept it)",
        }
        fake.look(NAME, fake.verdict(NAME, VerdictKind.INCONCLUSIVE, ago=ago - 5.0, **kept))
    looks = [item.model_dump(mode="json") for item in fake.looks[NAME]]
    state = watched.with_verdicts(ConsoleState(), NAME, looks)
    said = [text_of(line) for line in verdict_rows(state, row, AT, 160)]
    assert "FAIL" in said[0]
    assert any("watch ○ WAIT  looked 5s ago: not yet within limits (23 tenants that kept it)" in line for line in said)
    assert failing_since(state.verdicts[NAME], "error_rate") == AT - 100, "the watch's looks don't break the row"
    events = [text_of(line) for line in event_rows(state, NAME, AT, 20)]
    assert sum("judge" in line for line in events) <= 1
    assert sum("watch" in line for line in events) <= 1


def test_what_fails_below_its_limit_is_worse_than_its_control_and_not_beyond(fake: FakeRollouts) -> None:
    judged = fake.verdict(NAME, VerdictKind.FAIL, ago=10.0)
    row = rollout_row(fake.rollout_of(NAME, verdict=judged).model_dump(mode="json"))
    assert row.judged is not None
    failing = row.judged.failing
    assert failing is not None
    below = row.judged._replace(criteria=(failing._replace(value=failing.limit * 0.8, control=failing.limit * 0.1),))
    looks = (below, below._replace(at=AT - 40.0))
    state = replace(ConsoleState(), rollouts={NAME: row._replace(verdict=below)}, verdicts={NAME: looks})
    said = failing_reason(state, NAME, AT)
    assert said is not None
    assert said[0] == "error rate 1.60 %, control 0.20 %, worse for 40 s"
    [line] = [
        text_of(one)
        for one in criteria_rows(state, row._replace(verdict=below), AT, 120)
        if "error rate" in text_of(one)
    ]
    assert " control " in line
    assert ">2.00" not in line
    above = row.judged._replace(at=AT - 10.0, criteria=(failing._replace(value=failing.limit * 2),))
    state = replace(state, rollouts={NAME: row._replace(verdict=above)}, verdicts={NAME: (above, below)})
    said = failing_reason(state, NAME, AT)
    assert said is not None
    assert said[0] == "error rate 4.00 % > 2.00 % for 10 s", "only the looks at which it was beyond count"


async def test_enter_opens_the_rollout_and_escape_goes_back(server: Any, open_console: Console) -> None:
    server.rollout_of(NAME)
    server.look(NAME, server.verdict(NAME), silent=True)
    async with open_console() as console:
        await console.press("enter")
        await console.until("✓ PASS  all criteria hold")
        await console.press("escape")
        await console.until("REACH")


async def test_what_changed_before_it_failed_is_one_key_away(server: Any, open_console: Console) -> None:
    server.rollout_of(NAME)
    server.look(NAME, server.verdict(NAME, VerdictKind.FAIL, ago=70.0), silent=True)
    async with open_console() as console:
        await console.until(lambda: NAME in console.app.state.rollouts)
        await console.press("enter")
        await console.until("FAIL")
        await console.press("@")
        await console.until("NEAR")
        assert "03:06:21" in console.screen()


async def test_a_failing_look_shows_while_one_watches(server: Any, open_console: Console) -> None:
    server.rollout_of(NAME)
    server.moving[NAME] = calm
    async with open_console((120, 40)) as console:
        await console.press("enter")
        await console.until("not judged in this phase yet")
        server.look(NAME, server.verdict(NAME, VerdictKind.FAIL))
        await console.until("✗ FAIL  high → immediate")
        await console.until("tenant-0007 Tenant 7")  # who contributes most, by name


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "38 of 50 drawn at random"),
        ({"by_chance": 7}, "only 7 of 50 drawn at random"),
        ({"cohort": CohortBasis.HAND_PICKED, "by_chance": None}, "picked by hand: chance proves nothing"),
        ({"by_chance": None, "cohort_size": None}, "cohort drawn"),
    ],
)
async def test_it_is_said_how_much_of_the_cohort_chance_decided(
    server: Any, open_console: Console, more: dict[str, Any], words: str
) -> None:
    server.rollout_of(NAME)
    async with open_console() as console:
        await console.press("enter")
        await console.until("not judged in this phase yet")
        server.look(NAME, server.verdict(NAME).model_copy(update=more))
        await console.until(words)


async def test_an_overdue_look_is_said_to_be_overdue(server: Any, open_console: Console) -> None:
    server.rollout_of(NAME)
    server.look(NAME, server.verdict(NAME, ago=4.0), silent=True)
    async with open_console((120, 40)) as console:
        await console.press("enter")
        await console.until("looked 4s ago")
        console.clock.now += 200
        await console.until("OVERDUE")


async def test_windows_and_charts_change_by_keys(server: Any, open_console: Console) -> None:
    server.rollout_of(NAME)
    server.moving[NAME] = going_bad
    async with open_console() as console:
        await console.press("enter")
        await console.until("error rate %  1/")
        await console.until("15m ─┘")
        await console.press("]")
        await console.until(lambda: (NAME, 3600) in server.measured_windows)
        await console.until("1h ─┘")
        await console.press("tab")
        await console.until("  2/")


async def test_zoom_is_drawn_and_copied_as_text(
    server: Any, open_console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.rollout_of(NAME)
    server.moving[NAME] = going_bad
    async with open_console() as console:
        copied: list[str] = []
        monkeypatch.setattr(console.app, "copy", copied.append)
        await console.press("enter")
        await console.until("0┤")
        await console.press("z")
        await console.until("copy as text")
        await console.until("┌──")
        await console.press("y")
        await console.until(lambda: copied)
        assert copied[0].startswith(f"{NAME}  2026-03-14 02:52:31Z to 03:07:31Z")
        assert "canary 4.33 %" in copied[0]
        assert "error rate" in copied[0]
        await console.press("z")
        await console.until("CRITERION")


async def test_next_goes_through_the_rollouts_under_way(server: Any, open_console: Console) -> None:
    server.rollout_of(NAME)
    server.rollout_of("invoices.write")
    async with open_console() as console:
        await console.press("enter")
        await console.until("plan default")
        await console.press("n")
        await console.until(" invoices.write  v1")
        assert console.app.console_screen.target() == "invoices.write"


async def test_who_may_not_begin_one_is_told_so(server: Any, open_console: Console) -> None:
    server.role = Role.OPERATOR
    async with open_console() as console:
        await console.press("enter")
        await console.until("has no rollout")
        assert "an admin's key can begin one" in console.screen()


async def test_old_measurements_are_not_called_now(server: Any, open_console: Console) -> None:
    server.rollout_of(NAME)
    server.moving[NAME] = lambda ago: None if ago < 300 else calm(ago)
    async with open_console() as console:
        await console.press("enter")
        await console.until("canary –")


async def test_a_rollout_that_looks_old_is_replaced_by_the_newer_one(server: Any, open_console: Console) -> None:
    server.rollout_of(NAME, started_at=NOW - timedelta(days=30), rollout_id="old")
    async with open_console() as console:
        await console.press("enter")
        await console.until("plan default")
        server.rollout_of(NAME, phase="shadow", rollout_id="new")
        server.tell_rollout(NAME)
        await console.until("● shadow")
