"""The command line against a real server: the same commands, keys with roles, and a server of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flagconsole.cli.own_server import own_server
from flagconsole.domain.errors import StoreUnavailable, Unreachable
from flagconsole.domain.role import Role

from ..live_server import LiveServer

Ask = Callable[..., Any]


@pytest.fixture
def server(home: Path, loaded_store: Path) -> Iterator[LiveServer]:
    path = home / "served.db"
    shutil.copy(loaded_store, path)
    with LiveServer(f"sqlite:{path}") as running:
        yield running


@pytest.fixture
def remote(fc: Any, server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """``flagconsole`` on the server, with the key of a role."""

    def call(*arguments: str, role: Role = Role.ADMIN) -> Any:
        monkeypatch.setenv("FLAGCONSOLE_URL", server.url)
        monkeypatch.setenv("FLAGCONSOLE_API_KEY", server.keys[role])
        return fc(*arguments)

    return call


def test_admins_rights_for_a_time(remote: Ask):
    assert remote("set", "pos.lite", "shadow", "look", role=Role.OPERATOR).code == 7
    assert remote("break-glass", "begin", "nobody awake").code == 2
    grant = remote("break-glass", "begin", "nobody awake", "--minutes", "5", role=Role.OPERATOR).out.strip()
    assert remote("set", "pos.lite", "shadow", "look", role=Role.OPERATOR).code == 0
    assert f"break-glass {grant}" in remote("history", "pos.lite").out
    assert "IN FORCE" in remote("break-glass", "list", role=Role.VIEWER).out
    assert "not reviewed" in remote("break-glass", "end", grant, role=Role.OPERATOR).out
    listed = remote("break-glass", "list", "--unreviewed")
    assert all(told in listed.out for told in (grant, "because: nobody awake", "pos.lite set: look"))
    assert "1 to review" in listed.err
    assert "reviewed by admin" in remote("break-glass", "review", grant, "it was right").out
    assert "nothing to review" in remote("break-glass", "list", "--unreviewed").err
    assert remote("break-glass", "end", "glass-nope").code == 3


def test_the_life_of_a_flag(remote: Ask):
    assert len(remote("list", "--json").json["flags"]) == 27
    assert "off → canary 10 %" in remote("set", "pos.lite", "canary", "go", "--percentage", "10").out
    assert "pos.lite killed (was canary 10 %)" in remote("kill", "pos.lite", "errors").out
    assert "kill → off" in remote("revive", "pos.lite", "fixed").out
    assert "no override → override on" in remote("override", "pos.lite", "on", "--tenant", "acme").out
    assert "override on → no override" in remote("override", "pos.lite", "--remove", "--tenant", "acme").out
    assert "off → shadow" in remote("set", "pos.lite", "shadow", "look").out
    assert "shadow → off" in remote("rollback", "pos.lite", "enough").out
    assert "created off" in remote("create", "a.b", "for a test").out
    assert "off → archived" in remote("archive", "a.b", "old").out
    assert not re.search(r"^killed", remote("status").out, re.MULTILINE)
    assert len(remote("history", "pos.lite").out.splitlines()) == 9
    assert remote("audit", "verify").out.startswith("verified 36 entries")


def test_keys_of_a_server(remote: Ask):
    made = remote("keys", "create", "svc", "--role", "sdk", "--json").json
    assert made["api_key"]["key_id"] in remote("keys", "list").out
    assert "is revoked" in remote("keys", "revoke", made["api_key"]["key_id"]).out


def test_what_a_key_may_not_do_ends_with_7(remote: Ask):
    assert remote("list", role=Role.VIEWER).code == 0
    refused = remote("kill", "pos.lite", "x", role=Role.VIEWER)
    assert (refused.code, "needs the role operator" in refused.err) == (7, True)
    assert remote("set", "pos.lite", "on", "x", role=Role.OPERATOR).code == 7
    assert remote("kill", "pos.lite", "x", role=Role.OPERATOR).code == 0
    assert remote("list", "--api-key", "fc_wrong").code == 7


def test_errors_of_a_server_are_those_of_a_store(remote: Ask):
    missing = remote("get", "pos.light")
    assert (missing.code, "Did you mean 'pos.lite'?" in missing.err) == (3, True)
    assert remote("rollback", "pos.lite", "x").code == 4
    assert remote("create", "pos.lite", "for a test").code == 5
    assert remote("kill", "pos.lite", "a\x00b").code == 2
    assert remote("override", "pos.lite", "on").code == 2


def test_a_server_that_is_not_there_ends_with_6(fc: Any):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but it listens to nobody
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        shown = fc("list", "--url", url, "--api-key", "fc_x")
    assert (shown.code, url in shown.err) == (6, True)


def test_without_a_key_it_says_where_to_put_one(fc: Any, live_server: LiveServer):
    shown = fc("list", "--url", live_server.url)
    assert (shown.code, "FLAGCONSOLE_API_KEY" in shown.err) == (7, True)


def test_the_embedded_store_and_a_server_on_it_see_each_other(fc: Any, server: LiveServer, home: Path):
    store = f"sqlite:{home / 'served.db'}"
    assert fc("set", "pos.lite", "on", "by file", "--store", store).code == 0
    deadline = time.monotonic() + 2
    while server.request("GET", "/api/flags/pos.lite").json()["flag"]["current_state"] != "on":
        assert time.monotonic() < deadline, "the server didn't see the change"
    server.request("POST", "/api/flags/pos.lite/kill", json={"kill_reason": "by server"})
    assert fc("get", "pos.lite", "--store", store, "--json").json["flag"]["current_state"] == "kill"


def test_a_console_gets_a_server_of_its_own_that_ends_with_it(fc: Any, home: Path):
    store = f"sqlite:{home / 'data' / 'own.db'}"
    with own_server(store) as server:
        assert fc("create", "a.b", "for a test", "--url", server.url, "--api-key", server.api_key).code == 0
        assert (
            "@"
            in fc("history", "--url", server.url, "--api-key", server.api_key, "--json").json["changes"][0][
                "changed_by"
            ]
        )
    assert fc("list", "--url", server.url, "--api-key", server.api_key).code == 6
    assert fc("list", "--store", store, "--json").json["flags"][0]["flag_name"] == "a.b"


def test_a_server_of_its_own_that_cannot_start_says_why(home: Path):
    with pytest.raises(StoreUnavailable, match="can't be used"), own_server(f"sqlite:{home}"):
        pass


def test_the_own_server_ends_when_its_console_is_killed(home: Path):
    script = (
        "import sys\n"
        "from flagconsole.cli.own_server import own_server\n"
        f"with own_server('sqlite:{home / 'own.db'}') as server:\n"
        "    print(server.url, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    host, port = parent.stdout.readline().strip().removeprefix("http://").split(":")
    socket.create_connection((host, int(port)), 5).close()
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection((host, int(port)), 5).close()
        except ConnectionRefusedError:
            break
        except ConnectionResetError:  # it was just ending
            continue
        assert time.monotonic() < deadline, "the server outlived its console"


def test_serve_says_where_it_listens_and_ends_with_sigterm(home: Path):
    command = [sys.executable, "-m", "flagconsole", "serve", "--store", f"sqlite:{home / 's.db'}", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stderr is not None
    assert process.stderr.readline().startswith("listening on http://127.0.0.1:")
    # Where whoever started it finds a key for it, and never the key.
    told, key_file = process.stderr.readline(), home / "s.db.admin-key"
    assert told == f'your admin key: export FLAGCONSOLE_API_KEY="$(cat {key_file})"\n'
    process.send_signal(signal.SIGTERM)
    _, complaint = process.communicate(timeout=30)
    assert complaint == ""
    assert key_file.read_text().strip() not in told


def test_unreachable_is_exit_6():
    assert Unreachable.exit_code == 6


def test_an_environment_goes_through_a_server_with_the_rights_it_needs(remote: Ask, home: Path):
    path = home / "env.yaml"
    assert remote("export", "--output", str(path), role=Role.VIEWER).code == 0
    path.write_text(path.read_text() + "# ours\n")
    assert remote("export", "--output", str(path), role=Role.VIEWER).code == 0
    path.write_text(path.read_text().replace("state: off", "state: shadow", 1))
    shown = remote("plan", str(path), "--json", role=Role.VIEWER).json
    assert [(item["action"], item["raises"]) for item in shown["items"]] == [("change", True)]
    apply = ("apply", str(path), "--plan-hash", shown["plan_hash"], "from git")
    assert remote(*apply, role=Role.OPERATOR).code == 7
    assert remote(*apply).code == 0
    moved = remote(*apply)
    assert (moved.code, "(revision 28)" in moved.err) == (13, True)
    assert path.read_text().endswith("# ours\n")
