"""Several environments in one store: making and naming them, and that a command works in the one that is meant."""

from __future__ import annotations

import httpx
import pytest

from flagconsole.cli.own_server import own_server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, home):
    if request.param == "sqlite":
        return f"sqlite:{home / 'flags.db'}"
    return request.getfixturevalue("postgres")()


def test_an_environment_is_named_made_worked_in_and_kept_apart(fc, url):
    assert fc("create", "pos.lite", "for a test", "--store", url).code == 0
    refused = fc("environments", "create", "staging", "--store", url)
    assert (refused.code, "environments rename local production" in refused.err) == (2, True)
    assert fc("environments", "rename", "local", "production", "--store", url).code == 0
    assert fc("environments", "create", "staging", "--store", url).code == 0
    for name in ("staging", "production"):
        again = fc("environments", "create", name, "--store", url)
        assert (again.code, "already" in again.err) == (5, True)
    assert fc("list", "--store", url, "--environment", "staging", "--json").json["flags"] == []
    assert fc("create", "pos.tips", "for a test", "--store", url, "--environment", "staging").code == 0
    assert fc("kill", "pos.tips", "bad", "--store", url, "--environment", "staging").code == 0
    names = [flag["flag_name"] for flag in fc("list", "--store", url, "--json").json["flags"]]
    assert names == ["pos.lite"]
    listed = fc("environments", "list", "--store", url, "--json").json["environments"]
    assert [(one["name"], one["revision"]) for one in listed] == [("production", 1), ("staging", 2)]
    assert fc("status", "--store", url, "--environment", "staging", "--json").json["environment"] == "staging"
    assert fc("audit", "verify", "--store", url, "--environment", "staging", "--json").json["entries"] == 2
    # A name that was mistyped is never the first environment.
    unknown = fc("kill", "pos.lite", "bad", "--store", url, "--environment", "stagign")
    assert (unknown.code, "there is production, staging" in unknown.err) == (3, True)
    assert fc("environments", "rename", "staging", "qa", "--store", url).code == 0
    assert fc("list", "--store", url, "--environment", "qa", "--json").json["flags"][0]["flag_name"] == "pos.tips"
    taken = fc("environments", "create", "staging", "--store", url)
    assert taken.code == 5


def test_a_store_with_one_environment_without_a_name_is_as_ever(fc, home):
    url = f"sqlite:{home / 'flags.db'}"
    assert fc("create", "pos.lite", "for a test", "--store", url).code == 0
    assert fc("status", "--store", url, "--environment", "local", "--json").json["environment"] == "local"
    refused = fc("kill", "pos.lite", "bad", "--store", url, "--environment", "staging")
    assert (refused.code, "there is local" in refused.err) == (3, True)
    for name in ("Staging", "a/b", "..", "x" * 40, ""):
        assert fc("environments", "rename", "local", name, "--store", url).code == 2, name
    assert fc("list", "--url", "http://127.0.0.1:1", "--environment", "staging").code == 2


def test_a_missing_file_is_named(fc, home):
    url = f"sqlite:{home / 'flags.db'}"
    assert fc("create", "pos.lite", "for a test", "--store", url).code == 0
    assert fc("environments", "rename", "local", "production", "--store", url).code == 0
    assert fc("environments", "create", "staging", "--store", url).code == 0
    (home / "flags.staging.db").unlink()
    missing = fc("list", "--store", url, "--environment", "staging")
    assert (missing.code, "flags.staging.db isn't there" in missing.err) == (6, True)
    assert fc("list", "--store", url).code == 0
    assert not (home / "flags.staging.db").exists()


def test_a_console_of_its_own_gets_the_environment_that_is_meant(fc, home):
    """And ``serve`` as its user starts it: by name one, without a name all."""
    url = f"sqlite:{home / 'flags.db'}"
    assert fc("create", "pos.lite", "for a test", "--store", url).code == 0
    with own_server(url, "anything") as server:
        assert environment_of(server) == "anything"
    assert fc("environments", "rename", "local", "production", "--store", url).code == 0
    assert fc("environments", "create", "staging", "--store", url).code == 0
    with own_server(url, "staging") as server:
        assert environment_of(server) == "staging"
    with own_server(url) as server:
        assert environment_of(server) == "production"
        health = httpx.get(f"{server.url}/health", timeout=30).json()
        assert sorted(health["environments"]) == ["production", "staging"]


def environment_of(server):
    headers = {"Authorization": f"Bearer {server.api_key}"}
    return httpx.get(f"{server.url}/api/status", headers=headers, timeout=30).json()["environment"]
