"""The incidents screen: what happened, who was reached, what somebody has to say, and the report."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flagconsole.console.incident_view import restoration_line, step_line
from flagconsole.console.incidents import incident_row
from flagconsole.console.line import text_of
from flagconsole.console.report_file import write_report
from flagconsole.domain.playbook_run import RunStatus, StepStatus

from .conftest import NOW
from .fake_rollouts import FakeRollouts

Console = Any
NAME = "pos.loyalty_points"


def waiting(server: Any) -> None:
    """The playbook's last step waits for a person."""
    run = server.incidents_by_id["inc-1"].run
    steps = (*run.steps[:-1], run.steps[-1].begun(run.created_at))
    server.tell_incident("inc-1", run=run.model_copy(update={"steps": steps}))


async def test_who_was_affected_is_named(server: Any, open_console: Console) -> None:
    server.incident_of(NAME)
    async with open_console((120, 40)) as console:
        await console.until(lambda: console.app.state.incidents)
        await console.press("3")
        await console.until("tenant-0031  Tenant 31")
        assert "of the estimated 9 min" in console.screen()
        assert "due: post-mortem" in console.screen()


def test_over_the_estimate_is_said() -> None:
    row = incident_row(FakeRollouts(NOW).incident_of(NAME, ago=660.0).model_dump(mode="json"))
    assert "2:00 over" in text_of(restoration_line(row, NOW.timestamp()))
    assert "over" not in text_of(restoration_line(row, NOW.timestamp() - 300))


def test_an_incident_whose_playbook_only_begins_is_no_alarm_of_its_own() -> None:
    """Right after a kill nobody knows the estimate yet; a moment later it is there, counted from the incident's beginning."""
    incident = FakeRollouts(NOW).incident_of(NAME, ago=1.0)
    run = incident.run
    assert run is not None
    begun = incident.model_copy(
        update={"estimate_minutes": None, "run": run.model_copy(update={"status": RunStatus.PENDING})}
    )
    row = incident_row(begun.model_dump(mode="json"))
    [first, second, *_] = restoration_line(row, NOW.timestamp())
    assert (first.text, first.role) == ("NOT RESTORED for 1 s", "warning")
    assert second.text == f"  {incident.playbook} begins, its estimate comes with it"
    by_hand = incident_row(begun.model_copy(update={"run": None}).model_dump(mode="json"))
    [first, second, *_] = restoration_line(by_hand, NOW.timestamp())
    assert (first.role, second.text) == ("danger", "  no estimate: no playbook runs")


def test_steps_that_something_graver_left_behind_say_so() -> None:
    incident = FakeRollouts(NOW).incident_of(NAME)
    assert incident.run is not None
    left = incident.run.steps[-1].model_copy(
        update={"status": StepStatus.SUPERSEDED, "output": "kill_switch took over"}
    )
    run = incident.run.model_copy(update={"steps": (*incident.run.steps[:-1], left)})
    row = incident_row(incident.model_copy(update={"run": run}).model_dump(mode="json"))
    assert row.run is not None
    words = text_of(step_line(row.run.steps[-1], 4, 100, NOW.timestamp(), here=False))
    assert words.startswith("– 4 ")
    assert words.endswith("kill_switch took over")


async def test_a_step_that_waits_is_confirmed_with_what_was_found(server: Any, open_console: Console) -> None:
    server.incident_of(NAME)
    async with open_console((120, 40)) as console:
        await console.until(lambda: console.app.state.incidents)
        await console.press("i")
        await console.until("INCIDENTS 1 open")
        waiting(server)
        await console.until("! needs you")
        assert "! 1 needs you" in console.rows()[1]
        await console.press("C")
        await console.until("[step: Look at the payment provider's page]")
        await console.press("1", "Y")
        await console.until("look is written down")
        step = server.incidents_by_id["inc-1"].run.steps[-1]
        assert (step.status, step.output) == (StepStatus.DONE, "done as described")


async def test_not_done_is_another_answer_and_one_thing_to_be_said_no_choice(
    server: Any, open_console: Console
) -> None:
    run = server.incident_of(NAME).run
    server.tell_incident("inc-1", run=run.model_copy(update={"verifications": ()}))
    async with open_console((120, 40)) as console:
        await console.until(lambda: console.app.state.incidents)
        await console.press("i")
        waiting(server)
        await console.until("! needs you")
        await console.press("C")
        await console.until("FOUND")
        assert "WHAT   step: Look at the payment provider's page" in console.screen()
        assert "[step:" not in console.screen()
        assert "immediate runs: Verify it is off" in console.screen()
        await console.press("right", "3")
        await console.press("Y")
        await console.until("look is written down")
        assert server.incidents_by_id["inc-1"].run.steps[-1].status is StepStatus.SKIPPED


async def test_closing_writes_the_root_cause_and_says_what_is_left_undone(server: Any, open_console: Console) -> None:
    server.incident_of(NAME)
    async with open_console((120, 40)) as console:
        await console.until(lambda: console.app.state.incidents)
        await console.press("i")
        await console.until("INCIDENTS 1 open")
        await console.press("X")
        await console.until("these steps won't be done any more: Verify it is off")
        await console.press("6")
        await console.type("a retry loop, no limit")
        await console.press("enter")
        assert server.incidents_by_id["inc-1"].closed_at is None
        await console.press("Y")
        await console.until("inc-1 is closed; a post-mortem is due")
        assert server.incidents_by_id["inc-1"].root_cause == "a retry loop, no limit"


async def test_the_report_is_copied_and_written(
    server: Any, open_console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server.incident_of(NAME)
    async with open_console((120, 40)) as console:
        copied: list[str] = []
        monkeypatch.setattr(console.app, "copy", copied.append)
        await console.until(lambda: console.app.state.incidents)
        await console.press("i")
        await console.until("INCIDENTS 1 open")
        await console.press("y")
        await console.until(lambda: copied)
        assert copied[0].startswith("# Incident inc-1: pos.loyalty_points")
        await console.press("e")
        await console.until("the report is in")
        assert (tmp_path / "incident-inc-1.md").read_text() == copied[0]


def test_a_report_overwrites_nothing_and_cannot_leave_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = write_report("../../etc/x", "one", None), write_report("../../etc/x", "two", None)
    assert {first.parent, second.parent} == {tmp_path}
    assert (first.read_text(), second.read_text()) == ("one", "two")
    assert first.stat().st_mode & 0o077 == 0


async def test_without_incidents_it_says_what_opens_one(open_console: Console) -> None:
    async with open_console() as console:
        await console.press("i")
        await console.until("there has been no incident yet")


async def test_closed_ones_stand_below_and_can_be_filtered_away(server: Any, open_console: Console) -> None:
    server.incident_of(NAME)
    server.incident_of(
        "billing.retry", 2, ago=10.0, closed_at=NOW, closed_by="maria", completed_at=NOW - timedelta(seconds=2)
    )
    async with open_console() as console:
        await console.until(lambda: len(console.app.state.incidents) == 2)
        await console.press("i")
        await console.until("✓ closed")
        rows = console.rows()
        assert next(place for place, row in enumerate(rows) if "inc-1" in row) < next(
            place for place, row in enumerate(rows) if "✓ closed" in row
        )
        await console.press("/")
        await console.type("open:yes")
        await console.press("enter")
        await console.until(lambda: "✓ closed" not in console.screen())


async def test_the_incident_of_the_flag_under_the_cursor_comes_first(server: Any, open_console: Console) -> None:
    server.incident_of("billing.retry", 2, ago=5.0)
    server.incident_of(NAME, 1)
    async with open_console() as console:
        await console.until(lambda: len(console.app.state.incidents) == 2)
        await console.press("/")
        await console.type("loyalty")
        await console.press("enter", "i")
        await console.until(lambda: console.app.screen.name_in_keymap == "incidents")
        assert console.app.screen.table.selected == "inc-1"


@pytest.mark.parametrize(
    ("restored", "status", "says", "to_do"),
    [
        (True, "✓ restored", "RESTORED after 40 s", "close it (X) when all is well"),
        (False, "! needs you", "NOT RESTORED for", "stop it by hand (K, R), then close it (X)"),
    ],
)
async def test_a_playbook_that_nobody_ran_says_what_is_left_to_do(
    server: Any, open_console: Console, restored: bool, status: str, says: str, to_do: str
) -> None:
    incident = server.incident_of(NAME, completed_at=NOW - timedelta(seconds=90) if restored else None)
    nobody = "nobody was there to run it within 60 min"
    more = {"status": RunStatus.EXPIRED, "finished_at": NOW, "estimate_minutes": None, "steps": (), "problem": nobody}
    more["verifications"] = ()
    run = incident.run.model_copy(update=more)
    server.tell_incident("inc-1", run=run)
    async with open_console((120, 40)) as console:
        await console.press("3")
        await console.until(status)
        words = " ".join(console.screen().split())
        assert says in words
        assert f"! {nobody}" in words
        assert to_do in words.replace(" │ ", " ")
        assert "of –" not in words
        assert ("needs you" in words) is not restored, "one word for how it stands"
        await console.press("C")
        await console.until(lambda: any("inc-1: " in row and to_do in row for row in console.rows()[-4:]))
        assert (
            ("NEEDS YOU" in console.app.state.problems[NAME].word)
            if not restored
            else NAME not in (console.app.state.problems)
        )
