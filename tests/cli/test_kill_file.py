"""``kill --file`` and ``revive --file``: no server, no store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flagconsole.domain.kill_list import parse_kill_list

SECRET = "a key of sixteen+"


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLAGCONSOLE_KILL_LIST_KEY", SECRET)
    monkeypatch.setenv("FLAGCONSOLE_URL", "http://127.0.0.1:9")
    return tmp_path / "kills.json"


def names(path: Path) -> list[str]:
    return [kill.flag_name for kill in parse_kill_list(path.read_text(), SECRET)]


def test_a_kill_is_written_signed_and_taken_off_again(fc: Any, listed: Path):
    shown = fc("kill", "pos.lite", "double charges", "--file", str(listed))
    assert (shown.code, "nobody confirms it" in shown.err) == (0, True)
    fc("kill", "pos.tips", "the same", "--file", str(listed))
    assert names(listed) == ["pos.lite", "pos.tips"]
    assert listed.stat().st_mode & 0o777 == 0o644
    assert fc("revive", "pos.lite", "mended", "--file", str(listed)).code == 0
    assert names(listed) == ["pos.tips"]
    again = fc("revive", "pos.lite", "mended", "--file", str(listed))
    assert (again.code, "pos.lite" in again.err) == (4, True)


def test_a_dry_run_writes_nothing(fc: Any, listed: Path):
    assert "would be killed" in fc("kill", "pos.lite", "x", "--file", str(listed), "--dry-run").out
    assert not listed.exists()


def test_a_list_that_was_touched_is_not_overwritten(fc: Any, listed: Path):
    fc("kill", "pos.lite", "x", "--file", str(listed))
    touched = listed.read_text().replace("pos.lite", "pos.life")
    listed.write_text(touched)
    shown = fc("kill", "pos.tips", "x", "--file", str(listed))
    assert (shown.code, "signature" in shown.err) == (2, True)
    assert listed.read_text() == touched


def test_a_bad_name_or_folder_is_named(fc: Any, listed: Path):
    assert "domain.feature" in fc("kill", "pos", "x", "--file", str(listed)).err
    assert "can't be written" in fc("kill", "pos.lite", "x", "--file", "/nowhere/kills.json").err
