"""``export``, ``plan FILE`` and ``apply``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FILE = """\
flags:
  - name: pos.lite
    state: canary
    percentage: 10
  - name: pos.gift_cards
    description: Cards with a value
overrides:
  - {flag: pos.lite, tenant: t1, state: on, reason: pilot}
"""


def state(flags: Any, name: str) -> str:
    found: str = flags("get", name, "--json").json["flag"]["current_state"]
    return found


def test_a_file_is_planned_then_applied_by_its_hash(flags: Any, tmp_path: Path):
    path = tmp_path / "env.yaml"
    path.write_text(FILE)
    shown = flags("plan", str(path))
    assert shown.code == 0
    assert re.search(r"~ pos\.lite  raises exposure\n    state       off → canary\n    percentage  0 → 10\n", shown.out)
    assert "+ pos.gift_cards is new\n    state        off\n    description  Cards with a value" in shown.out
    assert "+ pos.lite for t1 is new  raises exposure" in shown.out
    assert "2 to add, 1 to change, 0 to remove; nothing has been changed yet" in shown.out
    said = re.search(r"plan hash: (\S+)\n.*--plan-hash \1 ", shown.out)
    assert said is not None
    assert state(flags, "pos.lite") == "off"
    assert flags("plan", "--detailed-exitcode", str(path)).code == 14
    dry = flags("apply", str(path), "--plan-hash", said[1], "from git", "--dry-run")
    assert (dry.code, "3 would change" in dry.out, state(flags, "pos.lite")) == (0, True, "off")
    done = flags("apply", str(path), "--plan-hash", said[1], "--reason", "from git")
    assert (done.code, done.out) == (0, "3 changed as one set, now at revision 30\n")
    assert flags("plan", str(path), "--detailed-exitcode").code == 0
    assert {change["change_reason"] for change in flags("history", "--limit", "3", "--json").json["changes"]} == {
        "from git"
    }
    moved = flags("apply", str(path), "--plan-hash", said[1], "from git")
    assert moved.code == 13
    assert "(revision 28)" in moved.err


def test_without_a_hash_it_asks_or_wants_to_be_told(flags: Any, tmp_path: Path):
    path = tmp_path / "env.yaml"
    path.write_text(FILE)
    refused = flags("apply", str(path), "from git")
    assert (refused.code, "--plan-hash HASH" in refused.err, state(flags, "pos.lite")) == (2, True, "off")
    assert flags("apply", str(path), "--plan-hash", "x", "why").code == 2
    assert flags("apply", str(path), "--yes").code == 2, "a reason is needed"
    done = flags("apply", "-", "--yes", "from git", "--json", stdin=FILE)
    assert (done.json["changed"], state(flags, "pos.lite")) == (3, "canary")


def test_an_export_keeps_comments_and_makes_the_same_store_elsewhere(flags: Any, tmp_path: Path):
    path = tmp_path / "env.yaml"
    flags("kill", "pos.lite", "bad", "--wait", "0")
    flags("override", "invoices.write", "on", "--tenant", "0042", "--reason", "pilot")
    assert "27 flags and 1 override of revision 29 written to" in flags("export", "--output", str(path)).out
    text = path.read_text()
    assert flags("export").out == text
    noted = text.replace("  - name: pos.lite\n", "  # at the till\n  - name: pos.lite  # ours\n")
    path.write_text(noted)
    path.chmod(0o640)
    assert "in it already" in flags("export", "--output", str(path)).out
    flags("set", "invoices.auto_send", "shadow", "look")
    assert flags("export", "--output", str(path), "--json").json["changed"] is True
    assert "  # at the till\n  - name: pos.lite  # ours\n" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert [item.name for item in tmp_path.iterdir() if "env" in item.name] == ["env.yaml"]
    other = ("--store", f"sqlite:{tmp_path / 'other.db'}")
    assert flags("apply", str(path), "--yes", "moved here", *other).code == 0
    again = tmp_path / "again.yaml"
    again.write_text(path.read_text())
    assert "in it already" in flags("export", "--output", str(again), *other).out
    assert flags("export", *other).out == flags("export").out
    named = json.loads(flags("export", "--json").out)
    assert len(named["flags"]) == 27


def test_what_an_export_would_overwrite_is_read_first(flags: Any, tmp_path: Path):
    path = tmp_path / "env.yaml"
    path.write_text("flags: [")
    shown = flags("export", "--output", str(path))
    assert (shown.code, path.read_text()) == (2, "flags: [")
    assert "is not YAML" in shown.err


def test_pruning_is_said_and_a_mistake_in_a_file_named(flags: Any, tmp_path: Path):
    path = tmp_path / "env.yaml"
    path.write_text("flags:\n  - name: pos.lite\n")
    shown = flags("plan", str(path), "--prune")
    assert "- pos.loyalty_points is archived, and its name retired" in shown.out
    assert "0 to add, 0 to change, 26 to remove" in shown.out
    assert "--prune --plan-hash" in shown.out
    path.write_text("flags:\n  - name: pos.lite\n    persentage: 5\n")
    wrong = flags("plan", str(path))
    assert (wrong.code, "line 3, flags[0].persentage" in wrong.err, "percentage?" in wrong.err) == (2, True, True)


def test_a_plan_of_the_file_is_one_to_begin_a_rollout_by(flags: Any, tmp_path: Path):
    path = tmp_path / "env.yaml"
    path.write_text("""\
plans:
  - name: careful
    phases:
      - name: dark
        kind: shadow
        rollback: [error_rate > 2 %]
""")
    shown = flags("plan", str(path))
    assert "+ plan careful is new" in shown.out
    assert "    phases.dark.rollback  error_rate > 2 %\n" in shown.out
    assert flags("apply", str(path), "--yes", "from git").code == 0
    assert '- "error_rate > 2 %"' in flags("export").out
    begun = flags("start", "pos.lite", "go", "--plan", "careful")
    assert (begun.code, state(flags, "pos.lite")) == (0, "shadow"), begun.err
    assert flags("canary-status", "--json").json["rollouts"][0]["plan"]["name"] == "careful"
    unknown = flags("start", "invoices.write", "go", "--plan", "carefull")
    assert (unknown.code, "default, demo, careful" in unknown.err) == (2, True)
