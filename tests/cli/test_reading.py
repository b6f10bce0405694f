"""``list``, ``get``, ``status`` and ``history``."""

from __future__ import annotations

import re
from typing import Any

from flagconsole.domain.views import FlagDetail, FlagListing, HistoryPage, Status


def test_list_shows_every_flag_aligned(flags: Any):
    lines = flags("list").out.splitlines()
    assert len(lines) == 28
    column = lines[0].index("STATE")
    assert all(line[column:].startswith("○ off") for line in lines[1:])


def test_list_filters_by_domain_and_state(flags: Any):
    flags("set", "pos.lite", "on", "go")
    shown = flags("list", "--domain=pos", "--state=on", "--json").json
    assert [flag["flag_name"] for flag in shown["flags"]] == ["pos.lite"]
    assert len(flags("list", "--domain", "pos").out.splitlines()) == 5


def test_an_unknown_domain_is_named_and_suggested(flags: Any):
    shown = flags("list", "--domain", "invoice")
    assert (shown.code, shown.out) == (0, "")
    assert "Did you mean 'invoices'?" in shown.err


def test_list_and_get_say_what_the_tenant_gets_and_why(flags: Any):
    flags("set", "invoices.auto_send", "on", "go")
    assert "off (invoices.write)" in flags("list", "--tenant", "acme").out
    assert "○ off (dependency invoices.write)" in flags("get", "invoices.auto_send", "--tenant", "acme").out
    detail = flags("get", "invoices.auto_send", "--tenant", "acme", "--json").json
    assert (detail["effective_state"], detail["evaluation"]["dependency"]) == ("off", "invoices.write")


def test_the_json_is_that_of_the_views(flags: Any):
    FlagListing.model_validate(flags("list", "--json").json)
    shown = flags("get", "pos.lite", "--json").json
    assert shown.pop("schedules") == []
    FlagDetail.model_validate(shown)
    status = flags("status", "--json").json
    assert (status.pop("rollouts"), status.pop("incidents")) == ([], [])
    Status.model_validate(status)
    HistoryPage.model_validate(flags("history", "--json").json)


def test_status_names_what_is_killed(flags: Any):
    flags("kill", "pos.lite", "stop")
    shown = flags("status").out
    assert "killed       pos.lite" in shown
    assert "27: 26 off, 1 kill" in shown
    assert re.search(
        r"incidents +inc-1  pos.lite, began \d+s ago, .*, kill_switch waits for a runner: killed: stop", shown
    )


def test_status_shows_the_rollouts_and_says_when_they_have_no_measurements(flags: Any):
    flags("start", "pos.lite", "go")
    shown = flags("status").out
    assert re.search(r"rollouts +pos.lite  shadow, running: ╌ not judged yet", shown)
    assert re.search(r"data +pos.lite has no measurements", shown)
    assert re.search(r"incidents +none", shown)


def test_status_counts_what_does_not_fit_and_says_where_it_is(flags: Any):
    names = [flag["flag_name"] for flag in flags("list", "--json").json["flags"]][:7]
    for name in names:
        flags("kill", name, "stop")
    shown = flags("status").out
    assert "and 2 more: flagconsole incidents list" in shown
    assert len(shown.splitlines()) < 24


def test_history_says_who_what_and_why_and_pages(flags: Any):
    flags("set", "pos.lite", "canary", "first customers", "--percentage", "10")
    flags("kill", "pos.lite", "errors above 2 %")
    lines = flags("history", "pos.lite").out.splitlines()
    assert "canary 10 % → kill" in lines[1]
    assert lines[1].endswith("errors above 2 %")
    assert "off → canary 10 %" in lines[2]
    first = flags("history", "--limit", "2")
    assert [line.split()[0] for line in first.out.splitlines()[1:]] == ["29", "28"]
    assert "--before 28" in first.err
    assert flags("history", "--limit", "1", "--before", "28", "--json").json["changes"][0]["change_id"] == 27


def test_history_of_one_tenant_is_asked_for_and_never_taken_from_the_configuration(flags: Any):
    flags("config", "set-tenant", "acme")
    flags("override", "pos.lite", "on")
    assert len(flags("history", "pos.lite", "--tenant", "acme").out.splitlines()) == 2
    assert len(flags("history", "pos.lite").out.splitlines()) == 3


def test_hostile_text_reaches_the_terminal_only_as_visible_numbers(flags: Any):
    reason = "calm \u202egnihtyna\u202c \u200bx [red]"
    flags("set", "pos.lite", "on", reason)
    for arguments in (("list",), ("get", "pos.lite"), ("history", "pos.lite")):
        out = flags(*arguments).out
        assert "\u202e" not in out
        assert "\\u{202e}gnihtyna" in out
        assert "[red]" in out
    raw = flags("history", "pos.lite", "--json")
    assert raw.out.isascii()
    assert raw.json["changes"][0]["change_reason"] == reason


def test_hostile_arguments_are_not_echoed_raw(flags: Any):
    for arguments in (("get", "a.\x1b]52;c;aGk\x07"), ("\x1b[31mkill",), ("set", "pos.lite", "\x9b1m", "x")):
        shown = flags(*arguments)
        assert shown.code in {2, 3}
        assert not {"\x1b", "\x9b", "\x07"} & set(shown.err)


def test_a_rollback_time_that_nobody_said_is_told_as_the_default(flags: Any):
    flags("create", "pos.plain", "--reason", "for a test")
    assert re.search(r"^rollback takes +60 s \(the default\)$", flags("get", "pos.plain").out, re.M)
    assert re.search(r"^rollback takes +30 s$", flags("get", "invoices.write").out, re.M)


def test_a_tenant_that_the_store_does_not_know_is_told(flags, home):
    assert "note:" not in flags("get", "pos.lite", "--tenant", "t-99").err
    (home / "tenants.csv").write_text("tenant_id,name\nt-1,One\n")
    assert flags("tenants", "import", str(home / "tenants.csv")).code == 0
    assert "note:" not in flags("get", "pos.lite", "--tenant", "t-1").err
    assert "knows no tenant 't-99'" in flags("get", "pos.lite", "--tenant", "t-99").err
    given = flags("override", "pos.lite", "off", "--reason", "asked", "--tenant", "t-99")
    assert (given.code, "knows no tenant 't-99'" in given.err) == (0, True)


def test_around_takes_a_time_of_day(flags):
    assert "27 flags" in flags("history", "--around", "0m").out
    wrong = flags("history", "--around", "noon")
    assert (wrong.code, "not a time like 03:14, 20m (ago)" in wrong.err) == (2, True)


def test_a_percentage_that_stays_is_told(flags):
    assert "as it was set before" not in flags("set", "pos.lite", "canary", "go", "--percentage", "10").err
    assert flags("set", "pos.lite", "off", "stop").code == 0
    assert "10 % as it was set before" in flags("set", "pos.lite", "canary", "go on").err
