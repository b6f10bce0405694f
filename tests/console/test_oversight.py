"""What waits for a second person, who works with rights that they took, and what is scheduled, as the console shows it."""

from __future__ import annotations

from dataclasses import replace

from flagconsole.console.attention import Problem
from flagconsole.console.line import text_of
from flagconsole.console.oversight import oversight_of
from flagconsole.console.rows import change_row, flag_row
from flagconsole.console.state import Connection, ConsoleState, Phase
from flagconsole.console.widgets.change_table import change_text, entry_lines
from flagconsole.console.widgets.detail import schedule_lines
from flagconsole.console.widgets.env_bar import env_bar

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
APPROVAL = {"approval_id": "appr-1", "flag_name": "pos.lite", "requested_by": "ada", "ends_at": "2027-01-15T09:00:00Z"}
GRANT = {"grant": {"grant_id": "glass-1", "taken_by": "olu", "ends_at": "2027-01-15T08:30:00Z"}}


def schedule(**fields):
    return {
        "schedule": {
            "schedule_id": "sched-1",
            "flag_name": "pos.lite",
            "current_state": "canary",
            "canary_percentage": 25,
            "at": "2027-01-15T18:00:00Z",
            "created_by": "ada\u202e",
            "status": "waiting",
            **fields,
        }
    }


def state_of(approvals=(), grants=(), schedules=()):
    connection = Connection(phase=Phase.LIVE, server="fc:1", environment="staging", you="olu", role="admin")
    return ConsoleState(connection=connection, oversight=oversight_of(approvals, grants, schedules))


def bar(state, width=140, now=NOW):
    return text_of(env_bar(state, width, now, 0.0))


def test_the_bar_counts_what_waits_and_says_under_which_rights_one_works():
    state = state_of([APPROVAL, {**APPROVAL, "approved_by": "bob"}], [GRANT])
    assert "BREAK-GLASS until 08:30Z" in bar(state)
    assert "1 waits for approval" in bar(state)
    assert "GLASS" in bar(state, 80)
    assert "1 waits" in bar(state, 80)
    # Both end by themselves.
    assert "GLASS" not in bar(state, now=NOW + 1801)
    assert "approval" not in bar(state, now=NOW + 3601)


def test_what_needs_attention_is_never_cut_from_the_bar():
    state = state_of([APPROVAL], [GRANT])
    place = Connection(
        phase=Phase.LIVE,
        server="embedded · sqlite",
        environment="production",
        you="olu",
        role="admin",
        may_operate=True,
    )
    for problems in (1, 27):
        found = {f"pos.f{number}": Problem(0, "!", "FAILING", "why") for number in range(problems)}
        shown = bar(replace(state, connection=place, problems=found), 80)
        assert f"! {problems}" in shown
        assert "GLASS" in shown
        assert "1 waits" in shown
        assert "PRODUCTION" in shown
        assert " RW" in shown
        assert "…" not in shown


def test_somebody_elses_rights_are_not_on_the_bar():
    assert "GLASS" not in bar(state_of(grants=[{"grant": {**GRANT["grant"], "taken_by": "ada"}}]))
    assert "GLASS" not in bar(state_of(grants=[{"grant": {**GRANT["grant"], "ended_at": "2027-01-15T07:59:00Z"}}]))


def test_a_flags_schedules_say_what_when_and_why_they_do_not_happen():
    row = flag_row({"flag_name": "pos.lite", "current_state": "off"})
    asked = schedule(status="needs_decision", because="the flag moved", at=None,
                     after={"flag_name": "pos.full", "phase": "canary 10"})  # fmt: skip
    state = state_of(schedules=[schedule(), asked, schedule(flag_name="pos.full")])
    lines = [text_of(item) for item in schedule_lines(state, row, NOW, 80)]
    assert lines == [
        "canary 25 %  at 18:00:00Z  by ada\\u{202e}",
        "canary 25 %  after canary 10 of pos.full  by ada\\u{202e}",
        "! needs decision: the flag moved",
    ]


def test_an_entry_says_under_which_rights_and_by_whose_consent_it_was_made():
    told = {"change_id": 7, "flag_name": "pos.lite", "action": "set", "changed_by": "olu", "change_reason": "go"}
    row = change_row({**told, "break_glass": "glass-1", "approved_by": "bob"})
    words = "\n".join(text_of(item) for item in entry_lines(state_of(), row, None, 100, NOW))
    assert "! under break-glass glass-1" in words
    assert "allowed by bob" in words
    assert "under break-glass glass-1\nallowed by bob" in change_text(row)
    assert "break-glass" not in "\n".join(
        text_of(item) for item in entry_lines(state_of(), change_row(told), None, 100, NOW)
    )
