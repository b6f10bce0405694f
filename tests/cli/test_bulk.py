"""``bulk-set``, ``bulk-rollback`` and ``bulk-verify``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

FILE = """\
reason: winter freeze
flags:
  - name: pos.lite
    state: canary
    percentage: 10
  - name: invoices.auto_send
    state: on
    reason: it is ready
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "freeze.yaml"
    path.write_text(FILE)
    return path


def state(flags: Any, name: str) -> str:
    found: str = flags("get", name, "--json").json["flag"]["current_state"]
    return found


def test_the_differences_are_shown_and_then_done(flags: Any, plan: Path):
    shown = flags("bulk-set", "--file", str(plan))
    assert shown.code == 0
    assert "pos.lite            off → canary 10 %" in shown.out
    assert "2 changed as one set, revisions 28 to 29" in shown.out
    assert "it is ready" in flags("history", "invoices.auto_send").out


def test_a_dry_run_changes_nothing(flags: Any, plan: Path):
    shown = flags("bulk-set", "--file", str(plan), "--dry-run")
    assert "nothing was changed" in shown.out
    assert state(flags, "pos.lite") == "off"


def test_json_is_a_file_too_and_the_answer(flags: Any, tmp_path: Path):
    data = {"reason": "x", "flags": [{"name": "pos.lite", "state": "shadow"}]}
    shown = flags("bulk-set", "--file", "-", "--json", stdin=json.dumps(data))
    assert shown.json["changed"] == 1
    assert shown.json["outcomes"][0]["change"]["new"]["current_state"] == "shadow"


@pytest.mark.parametrize(
    ("wrong", "right", "said"),
    [
        ("percentage: 10", "percentage: 101", "line 5, flags[0].percentage"),
        ("percentage", "precentage", "did you mean percentage?"),
        ("name: pos.lite", "name: pos", "line 3, flags[0].name"),
        ("state: on", "state: yes", "line 7, flags[1].state"),
        ("reason: winter freeze", "reason: ''", "line 1, reason"),
        ("reason: winter freeze\n", "", "reason: is missing"),
        ("invoices.auto_send", "pos.lite", "is there twice"),
        ("flags:\n", "x:\n", "line 2, x: is not a field here"),
    ],
)
def test_a_mistake_is_named_by_line_and_field_and_nothing_is_done(
    flags: Any, plan: Path, wrong: str, right: str, said: str
):
    plan.write_text(FILE.replace(wrong, right))
    shown = flags("bulk-set", "--file", str(plan))
    assert shown.code == 2
    assert said in shown.err
    assert state(flags, "pos.lite") == "off"


@pytest.mark.parametrize(
    ("flags_said", "found"),
    [
        ("{name: pos.lite, state: on}", "(got 'a mapping')"),
        ("[]", "(got 'an empty list')"),
        ("pos.lite", "(got 'pos.lite')"),
    ],
)
def test_what_is_no_list_is_named_with_its_line(flags: Any, plan: Path, flags_said: str, found: str):
    plan.write_text(f"reason: winter freeze\nflags: {flags_said}\n")
    shown = flags("bulk-set", "--file", str(plan))
    assert (shown.code, found in shown.err, "line 2, flags: must be a list" in shown.err) == (2, True, True)


def test_an_unknown_flag_names_the_one_that_was_meant(flags: Any, plan: Path):
    plan.write_text(FILE.replace("pos.lite", "pos.light"))
    shown = flags("bulk-set", "--file", str(plan))
    assert (shown.code, "pos.lite" in shown.err) == (3, True)


def test_a_domain_is_rolled_back_and_what_was_left_out_is_named(flags: Any):
    flags("set", "pos.lite", "on", "go")
    shown = flags("bulk-rollback", "--domain", "pos", "storm")
    assert "pos.lite                on → off" in shown.out
    assert "pos.loyalty_points      stays off: 'pos.loyalty_points' has no change" in shown.out
    assert state(flags, "pos.lite") == "off"


def test_runbooks_may_leave_the_reason_out_and_the_log_says_so(flags: Any):
    flags("set", "pos.lite", "on", "go")
    assert flags("bulk-rollback", "--domain", "pos").code == 0
    assert "no reason given" in flags("history", "pos.lite", "--limit", "1").out


def test_named_changes_are_rolled_back(flags: Any):
    flags("set", "pos.lite", "on", "go")
    flags("set", "invoices.auto_send", "on", "go")
    assert flags("bulk-rollback", "--changes", "28,29", "both").code == 0
    assert (state(flags, "pos.lite"), state(flags, "invoices.auto_send")) == ("off", "off")
    assert "numbers like 12,15" in flags("bulk-rollback", "--changes", "x", "both").err


def test_what_changed_around_a_time_is_found_and_undone_as_one_set(flags: Any):
    flags("set", "pos.lite", "on", "go")
    flags("set", "invoices.auto_send", "on", "go too")
    assert flags("set", "pos.loyalty_points", "on", "later").code == 0
    when = flags("history", "invoices.auto_send", "--json").json["changes"][0]["changed_at"]
    shown = flags("history", "--around", when, "--window", "1h", "--limit", "3").out.splitlines()
    assert re.search(r"APART +FLAG", shown[0])
    assert re.match(r"29 .* 0s before +invoices.auto_send +off → on", shown[1])
    assert "28" in {line.split()[0] for line in shown[2:]}
    whole = flags("history", "--around", when, "--window", "1h").out.splitlines()
    assert [line for line in whole if re.match(r"1-27 .* 27 flags +created together", line)], "init is one row"
    assert len(whole) == 5
    far = flags("history", "--around", "2020-01-01T00:00Z")
    assert (far.out, far.code) == ("", 0)
    assert "no changes within 30m of 2020-01-01 00:00:00Z" in far.err
    undone = flags("rollback", "--set", "28", "29", "both of them")
    assert "2 changed as one set, revisions 31 to 32" in undone.out
    assert [state(flags, name) for name in ("pos.lite", "invoices.auto_send", "pos.loyalty_points")] == [
        "off",
        "off",
        "on",
    ]
    changes = flags("history", "--limit", "2", "--json").json["changes"]
    assert len({change["correlation_id"] for change in changes}) == 1
    assert [change["reverts"] for change in changes] in ([[28], [29]], [[29], [28]])


def test_a_set_with_one_wrong_change_undoes_nothing(flags: Any):
    flags("set", "pos.lite", "on", "go")
    assert flags("rollback", "--set", "28,999", "both").code == 3
    assert state(flags, "pos.lite") == "on"
    assert "numbers like 12,15" in flags("rollback", "--set", "x", "both").err
    assert "a reason is needed" in flags("rollback", "--set", "28").err
    assert "name the FLAG" in flags("rollback", "--reason", "x").err


def test_a_domain_without_instances_is_said_to_be_unproven(flags: Any):
    shown = flags("bulk-verify", "--domain", "pos")
    assert "No instances are connected" in shown.out
    assert flags("bulk-verify", "--domain", "nope").code == 2
