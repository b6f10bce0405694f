"""Copying: the way is chosen by where one is, nothing hostile leaves, and the answer never claims more than is known."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from flagconsole.console import clipboard
from flagconsole.console.bell import Bell, notes_allowed

HERE = {"TERM": "xterm-256color"}


def decoded(sequence: str) -> str:
    assert sequence.startswith("\x1b]52;c;")
    assert sequence.endswith("\x07")
    return base64.b64decode(sequence[7:-1]).decode()


def test_osc_52_carries_the_text_and_nothing_hostile(tmp_path: Path) -> None:
    copied = clipboard.copy("one\x1b]52;c;ZXZpbA==\x07\ntwo\u202e", tmp_path, HERE)
    assert decoded(copied.sequence) == "one\\u{1b}]52;c;ZXZpbA==\\u{7}\ntwo\\u{202e}"
    assert "where it allows that" in copied.words
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("short", {"TERM": "linux"}),
        ("x" * 60_000, HERE),
        ("short", {**HERE, "TMUX": "/nowhere,1,0", "PATH": "/nowhere"}),
    ],
    ids=["console", "long", "broken tmux"],
)
def test_where_there_is_no_other_way_a_file_is_written(
    tmp_path: Path, text: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "PATH" in environment:
        monkeypatch.setenv("PATH", environment["PATH"])
    copied = clipboard.copy(text, tmp_path, environment)
    file = tmp_path / "copied.txt"
    assert str(file) in copied.words
    assert copied.sequence == ""
    assert file.read_text().strip("\n")[:10] == text[:10]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "copied.txt").symlink_to(tmp_path / "elsewhere")
    copied = clipboard.copy("text", tmp_path, {"TERM": "linux"})
    assert copied.words.startswith("not copied")
    assert not (tmp_path / "elsewhere").exists()


def test_tmux_gets_the_text_by_its_buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "tmux"
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat > {tmp_path}/taken\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    copied = clipboard.copy("the text", None, {**HERE, "TMUX": "x"})
    assert (tmp_path / "asked").read_text().strip() == "load-buffer -w -"
    assert (tmp_path / "taken").read_text() == "the text"
    assert "tmux" in copied.words


async def test_y_copies_the_flag_under_the_cursor(open_console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    async with open_console() as console:
        written: list[str] = []
        monkeypatch.setattr(console.app, "write_terminal", written.append)
        await console.press("y")
        await console.until("copied 18 characters")
        assert decoded(written[0]) == "pos.loyalty_points"


def test_the_bell_rings_once_for_each_occasion_and_can_be_turned_off() -> None:
    written: list[str] = []
    bell = Bell(written.append)
    assert bell.ring("guard 1", "error rate \x07 of pos.lite")
    assert not bell.ring("guard 1", "again")
    assert written == ["\x1b]9;flagconsole: error rate \\u{7} of pos.lite\x1b\\", "\x07"]
    written.clear()
    Bell(written.append, note=False).ring("guard 1", "words")
    Bell(written.append, sound=False, note=False).ring("guard 1", "words")
    assert written == ["\x07"]


@pytest.mark.parametrize(
    ("environment", "allowed"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, True),
        ({"TERM_PROGRAM": "WezTerm"}, True),
        ({"TERM_PROGRAM": "WezTerm", "TMUX": "x"}, False),
        ({"TERM_PROGRAM": "Apple_Terminal"}, False),
    ],
)
def test_notes_go_only_to_terminals_that_show_them(environment: dict[str, str], allowed: bool) -> None:
    assert notes_allowed(environment) is allowed


async def test_a_confirmed_kill_rings_once(open_console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_console() as console:
        written: list[str] = []
        console.app.bell_ringer._write = written.append
        await console.press("K", "1", "Y")
        await console.until("PROPAGATING 0/12")
        assert written == []
        for name in console.server.instances_by_id:
            console.server.confirm(name)
        await console.until("CONFIRMED 12/12")
        console.server.beat()
        await console.pilot.pause(0.05)
        assert written == ["\x07"]
