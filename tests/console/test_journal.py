"""The journal of actions: on disk before anything is sent, readable by nobody else."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flagconsole.console.actions import Action, Asked, Kind, Stage
from flagconsole.console.journal import Journal

HERE = "http://here"


def action(key: str = "key-1", **more: object) -> Action:
    made = Action(key, Kind.KILL, "pos.lite", "production", "errors", 3, "on", 1_000_000.0, base_revision=7)
    return replace(made, **more)  # type: ignore[arg-type]


def test_recorded_action_is_found_again_until_it_is_settled(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "deep" / "journal.db")
    journal.record(action(), HERE, "e1")
    (found,) = journal.unresolved(HERE)
    assert found.base_epoch == "e1"
    assert found.action == action(stage=Stage.UNKNOWN, earlier=True)
    journal.settle(action(stage=Stage.CONFIRMED, revision=8))
    assert journal.unresolved(HERE) == []


def test_unknown_stays_open_and_other_servers_are_not_asked(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.record(action(), HERE, "e1")
    journal.settle(action(stage=Stage.UNKNOWN))
    assert [item.action.key for item in journal.unresolved(HERE)] == ["key-1"]
    assert journal.unresolved("http://there") == []


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        journal = Journal(tmp_path / "state" / "journal.db")
        journal.record(action(), HERE, "e1")
    finally:
        os.umask(old)
    assert journal.path.stat().st_mode & 0o777 == 0o600
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


def test_action_of_a_running_console_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.record(action(begun_at=__import__("time").time()), HERE, "e1")
    monkeypatch.setattr("flagconsole.console.journal.os.getpid", lambda: 1)
    assert journal.unresolved(HERE) == []


def test_record_survives_a_killed_process(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from flagconsole.console.journal import Journal\n"
        "from flagconsole.console.actions import Action, Kind\n"
        f"Journal(Path(sys.argv[1])).record(Action('k', Kind.KILL, 'a.b', '', 'r', 1, 'on', 1.0), '{HERE}', 'e1')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "journal.db"
    subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=20)
    assert [item.action.key for item in Journal(path).unresolved(HERE)] == ["k"]


def test_damaged_journal_is_an_os_error(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"not a database, but long enough to be read as one" * 40)
    with pytest.raises(OSError, match="journal"):
        Journal(path).record(action(), HERE, "e1")


def test_what_an_action_asked_for_is_remembered(tmp_path: Path) -> None:
    asked = Asked(state="canary", percentage=25, tenant_id="t1", expires_at=5.0, playbook="gradual", freeze=True)
    journal = Journal(tmp_path / "journal.db")
    journal.record(replace(action(), asked=asked), HERE, "e1")
    ((found, _),) = journal.unresolved(HERE)
    assert found.asked == asked


def test_a_journal_of_an_older_console_is_read(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.record(action(), HERE, "e1")
    with sqlite3.connect(journal.path) as db:
        db.execute("ALTER TABLE actions DROP COLUMN asked")
    ((found, _),) = journal.unresolved(HERE)
    assert found.asked == Asked()
