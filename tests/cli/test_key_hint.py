"""Whoever is refused for want of a key is told where one is, and not what it is."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from flagconsole.cli.invocation import Invocation
from flagconsole.cli.key_hint import key_hint
from flagconsole.cli.main import run
from flagconsole.server.key_file import key_file_of

from ..live_server import LiveServer


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:{tmp_path / 'my flags.db'}"
    monkeypatch.setenv("FLAGCONSOLE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("FLAGCONSOLE_STORE", url)
    for name in ("FLAGCONSOLE_URL", "FLAGCONSOLE_API_KEY", "FLAGCONSOLE_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    return url


def test_the_file_of_the_server_on_this_machine_is_named(
    store: str, live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    path = key_file_of(store)
    path.write_text("fc_admin_secret")
    assert run(["list", "--url", live_server.url]) == 7
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("error: A valid API key is needed.")
    assert said[1].endswith(f"export FLAGCONSOLE_API_KEY=\"$(cat '{path}')\"")
    assert "fc_admin_secret" not in "".join(said)


def test_another_machine_or_a_key_that_was_sent_isnt_answered_with_a_key_of_here(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file_of(store).write_text("fc_admin_secret")
    assert "keys create" in key_hint(Invocation(url="https://flags.example"))
    assert key_hint(Invocation(url="http://127.0.0.1:9", api_key="fc_x")).endswith(
        "to http://127.0.0.1:9 is the one of --api-key"
    )
    monkeypatch.setenv("FLAGCONSOLE_API_KEY", "fc_y")
    assert key_hint(Invocation(url="http://127.0.0.1:9")).endswith("the one of FLAGCONSOLE_API_KEY")


def test_without_one_it_says_who_makes_keys(
    store: str, live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", "--url", live_server.url]) == 7
    assert "flagconsole keys create NAME --role ROLE" in capsys.readouterr().err


def test_a_mistyped_address_isnt_answered_with_a_search_for_keys(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens there
        assert run(["list", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}"]) == 6
    assert "connection refused" in capsys.readouterr().err


def test_a_configured_key_that_is_refused_is_named_by_its_place(
    store: str, live_server: LiveServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text('api_key = "fc_viewer_unknown"\n')
    assert run(["list", "--url", live_server.url]) == 7
    said = capsys.readouterr().err
    assert f"is the one in {tmp_path / 'config.toml'}" in said
    assert "unknown" not in said
