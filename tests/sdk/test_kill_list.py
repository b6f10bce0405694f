"""The kill that needs no server."""

from __future__ import annotations

import threading

import pytest

from flagconsole.domain.kill_list import LocalKill, dump_kill_list
from flagconsole.sdk import FlagClient, FlagState, Reason

from ..fake_server import KEY, until

SECRET = "a key of sixteen+"


def listing(*names, key=SECRET):
    return dump_kill_list([LocalKill(name, "x", "ada", "2026-11-22T03:14:07+00:00") for name in names], key)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kills.json"


def test_a_listed_flag_is_killed_although_the_server_says_on_and_comes_back_when_taken_off(server, make_client, path):
    server.put("g.h", "on", dependencies=["a.b"])
    client = make_client(kill_list=path, kill_list_key=SECRET)
    assert client.wait_ready(10)
    assert client.is_enabled("a.b", "t1")
    told = threading.Event()
    client.on_change(lambda update: told.set() if "a.b" in update.flags else None)
    path.write_text(listing("a.b"))
    until(lambda: client.state("a.b", "t1") is FlagState.KILL)
    assert client.evaluate("a.b", "t1").reason is Reason.KILLED
    assert client.evaluate("g.h", "t1").dependency == "a.b"
    assert client.status.killed_here == ("a.b",)
    assert told.wait(10)
    server.change("c.d", "on")
    until(lambda: client.is_enabled("c.d", "t1"))
    assert client.state("a.b", "t1") is FlagState.KILL
    path.unlink()
    until(lambda: client.is_enabled("a.b", "t1"))


def test_it_is_obeyed_without_any_server_and_before_the_first_question(path):
    path.write_text(listing("a.b"))
    client = FlagClient("http://127.0.0.1:9", KEY, cache_dir=False, kill_list=path, kill_list_key=SECRET, max_age=1)
    try:
        assert client.evaluate("a.b", "t1").state is FlagState.KILL
        assert client.evaluate("c.d", "t1").reason is Reason.STALE
    finally:
        client.close(0.5)


def test_a_list_that_cannot_be_used_changes_nothing_and_is_said(server, make_client, path):
    path.write_text(listing("a.b"))
    client = make_client(kill_list=path, kill_list_key=SECRET)
    assert client.wait_ready(10)
    assert client.state("a.b", "t1") is FlagState.KILL
    for bad in (listing(key=None), "half a fi", listing("c.d", key="another key, as long")):
        path.write_text(bad)
        until(lambda: client.status.kill_list_problem)
        assert client.state("a.b", "t1") is FlagState.KILL
        path.write_text(listing("a.b"))
        until(lambda: client.status.kill_list_problem is None)


def test_an_unsigned_list_that_everybody_may_write_is_not_obeyed(server, make_client, path):
    path.write_text(listing("a.b", key=None))
    path.chmod(0o666)
    client = make_client(kill_list=path)
    assert client.wait_ready(10)
    assert client.is_enabled("a.b", "t1")
    assert "everybody may write it" in client.status.kill_list_problem
    path.chmod(0o644)
    until(lambda: client.state("a.b", "t1") is FlagState.KILL)


def test_the_environment_names_the_list(server, make_client, path, monkeypatch):
    monkeypatch.setenv("FLAGCONSOLE_KILL_LIST", str(path))
    monkeypatch.setenv("FLAGCONSOLE_KILL_LIST_KEY", SECRET)
    path.write_text(listing("a.b"))
    client = make_client()
    assert client.state("a.b", "t1") is FlagState.KILL
