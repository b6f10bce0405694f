"""``incidents``, as an engineer uses it after a kill."""

from __future__ import annotations

import pytest


@pytest.fixture
def killed(fc, home):
    """An embedded store in which pos.lite was on and is killed."""
    assert fc("init").code == 0
    assert fc("set", "pos.lite", "on", "go").code == 0
    assert fc("kill", "pos.lite", "errors \u202e up", "--wait", "0").code == 0
    return fc


def test_a_kill_is_listed_shown_written_up_closed_and_exported(killed):
    [header, row] = killed("incidents", "list").out.splitlines()
    assert header.split()[:4] == ["ID", "STARTED", "FLAG", "PLAYBOOK"]
    assert row.startswith("inc-1 ")
    assert "pos.lite" in row
    shown = killed("incidents", "show", "inc-1").out
    assert "before: on" in shown
    assert "playbook kill_switch pending" in shown
    assert "off → on: go" in shown
    assert "\u202e" not in row + shown
    assert "errors \\u{202e} up" in row
    assert killed("incidents", "update", "inc-1", "--root-cause", "a slow query", "--impact", "minimal").code == 0
    dry = killed("incidents", "close", "inc-1", "--dry-run")
    assert (dry.code, dry.out) == (0, "inc-1 would be closed: pos.lite, impact minimal (set by hand)\n")
    assert killed("incidents", "list", "--open", "--json").json["incidents"][0]["closed_at"] is None
    closed = killed(
        "incidents", "close", "inc-1", "--resolution", "killed it", "--resolution", "added an index", "--json"
    )
    assert closed.json["incident"]["resolution_steps"] == ["killed it", "added an index"]
    assert closed.json["incident"]["impact"] == "minimal"
    assert killed("incidents", "list", "--open").err == "no incidents\n"
    report = killed("incidents", "export", "inc-1").out
    assert report.startswith("# Incident inc-1: pos.lite\n")
    assert "a slow query\n" in report
    assert "1. killed it\n1. added an index\n" in report
    assert "\u202e" not in report
    assert killed("incidents", "export", "inc-1", "--json").json["incident"]["incident_id"] == "inc-1"


def test_a_revive_says_which_incident_stays_open(killed):
    said = killed("revive", "pos.lite", "fixed")
    assert "inc-1" not in said.out, "what scripts read is the change alone"
    assert 'flagconsole incidents close inc-1 --root-cause "what it was"' in said.err.replace("\n", " ")
    assert killed("incidents", "list", "--open", "--json").json["incidents"][0]["incident_id"] == "inc-1"
    killed("kill", "pos.lite", "again", "--wait", "0")
    open_now = [item["incident_id"] for item in killed("incidents", "list", "--open", "--json").json["incidents"]]
    for incident in open_now:
        killed("incidents", "close", incident, "--root-cause", "a slow query")
    assert killed("revive", "pos.lite", "fixed", "--json").json["open_incidents"] == []
    killed("kill", "pos.lite", "once more", "--wait", "0")
    assert "stays open" in killed("revive", "pos.lite", "fixed").err


def test_a_flags_name_stands_for_its_newest_incident(killed):
    closed = killed("incidents", "close", "inc-1")
    assert closed.code == 0
    assert closed.out.startswith("inc-1 closed: pos.lite, impact ")
    assert closed.out.count("\n") == 1
    assert "flagconsole incidents show inc-1" in closed.err
    assert "no root cause is written down" in closed.err
    again = killed("incidents", "close", "inc-1", "--root-cause", "a slow query")
    assert "inc-1 was closed already" in again.err
    assert again.out.startswith("inc-1 written up: ")
    assert killed("revive", "pos.lite", "fixed").code == 0
    assert killed("kill", "pos.lite", "again", "--wait", "0").code == 0
    assert killed("incidents", "export", "pos.lite").out.startswith("# Incident inc-2: pos.lite\n")
    assert killed("incidents", "show", "pos.lite", "--json").json["incident"]["incident_id"] == "inc-2"
    missing = killed("incidents", "show", "invoices.write")
    assert missing.code == 3
    assert "flagconsole incidents list" in missing.err


def test_mistakes_say_what_would_be_right(killed):
    assert "There are close, confirm, export, list, show, update." in killed("incidents", "get", "inc-1").err
    missing = killed("incidents", "show", "inc-2")
    assert (missing.code, missing.out) == (3, "")
    assert "inc-2" in missing.err
    assert "flagconsole incidents list" in missing.err
    assert killed("incidents", "confirm", "inc-1", "no_such", "done").code == 3
    assert killed("incidents", "confirm", "inc-1", "kill", " ").code == 2
    assert killed("incidents", "update", "inc-1", "--impact", "huge").code == 2


def test_a_rollback_is_listed_as_done_by_hand(fc, home):
    fc("init")
    fc("set", "pos.lite", "on", "go")
    assert fc("rollback", "pos.lite", "slow").code == 0
    assert "by hand" in fc("incidents", "list", "--flag", "pos.lite").out
    assert fc("incidents", "list", "--flag", "invoices.write").err == "no incidents\n"


def test_the_tenants_are_told_on_one_line_and_the_changes_with_their_percentage(fc, home, tmp_path):
    fc("init")
    names = "\n".join(f"t{number:03},Customer of the {number}th hour" for number in range(60))
    file = tmp_path / "tenants.csv"
    file.write_text(f"tenant_id,name\n{names}\n", encoding="utf-8")
    assert fc("tenants", "import", str(file)).code == 0
    fc("set", "pos.lite", "canary", "first", "--percentage", "10")
    assert "pos.lite: canary 10 % → canary 90 %" in fc("set", "pos.lite", "canary", "more", "--percentage", "90").out
    assert fc("get", "pos.lite", "--json").json["flag"]["last_change"]["new_setting"] == "canary 90 %"
    fc("kill", "pos.lite", "errors", "--wait", "0")
    shown = fc("incidents", "show", "inc-1").out
    whole = fc("incidents", "show", "inc-1", "--json").json
    assert len(whole["affected_tenants"]) > 40
    assert sum("Customer of the" in line for line in shown.split("WHEN")[0].splitlines()) == 1
    assert f"{whole['incident']['affected']} of 60" in shown
    assert f"and {whole['incident']['affected'] - 20} more" in " ".join(shown.split())
    assert "Customer of the" in shown
    assert "canary 90 % → kill" in shown
