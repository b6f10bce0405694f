"""The listing that is asked for in one plain request is the one that the whole client would give; whatever is odd is left to that."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from flagconsole.cli import quick_listing
from flagconsole.domain.role import Role

from ..fake_server import KEY, Answer, FakeServer, problem, serving
from ..live_server import LiveServer

CHANGE = {"changed_at": "2026-11-23T10:00:00Z", "changed_by": "ann", "change_reason": "\x1b]0;owned\x07 because"}
FLAG = {
    "flag_name": "a.b",
    "flag_type": "feature",
    "current_state": "canary",
    "canary_percentage": 10,
    "canary_tenant_ids": [],
    "last_change": CHANGE,
}
LISTING: dict[str, Any] = {"now": "2026-11-23T10:05:00Z", "tenant_id": None, "flags": [FLAG], "evaluations": {}}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(quick_listing, "SECONDS", 60)


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    yield from serving()


@pytest.fixture
def asked_whole(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Counts what the whole client is asked instead, which then says that."""
    from flagconsole.domain.errors import Unreachable

    asked: list[str] = []

    async def refuse(target: Any, work: Any, *, create: bool = False) -> Any:
        asked.append(target.url)
        raise Unreachable(url=target.url, problem="asked the long way")

    monkeypatch.setattr("flagconsole.cli.backend.working_on", refuse)
    return asked


def test_it_prints_what_the_whole_client_would(fc: Any, home: Any, monkeypatch: pytest.MonkeyPatch):
    with LiveServer(f"sqlite:{home}/served.db") as server:
        for name in ("pos.lite", "pos.extra", "other.thing"):
            server.request("POST", "/api/flags", json={"flag_name": name}).raise_for_status()
        setting = {"current_state": "canary", "canary_percentage": 30, "change_reason": "try\u202e it"}
        server.request("PUT", "/api/flags/pos.lite", json=setting).raise_for_status()
        chosen = {"current_state": "canary", "canary_tenant_ids": ["acme"], "change_reason": "one"}
        server.request("PUT", "/api/flags/pos.extra", json=chosen).raise_for_status()
        monkeypatch.setenv("FLAGCONSOLE_URL", server.url)
        monkeypatch.setenv("FLAGCONSOLE_API_KEY", server.keys[Role.VIEWER])
        commands = [(), ("--tenant", "acme"), ("--domain", "pos"), ("--state", "off"), ("--domain", "po")]
        quick = [without_ages(fc("list", *command)) for command in commands]
        monkeypatch.setattr(quick_listing, "quick_listing", lambda target: None)
        assert quick == [without_ages(fc("list", *command)) for command in commands]
    assert "1 tenant" in quick[0].out
    assert "canary (cohort)" in quick[1].out
    assert "Did you mean 'pos'" in quick[4].err


def test_an_ordinary_answer_needs_nothing_else_and_nothing_in_it_reaches_the_terminal(
    fc: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, asked_whole: list[str]
):
    answered(fake, LISTING)
    listed = ask(fc, fake, monkeypatch)
    assert listed.code == 0
    assert "10 %" in listed.out
    assert "\x1b" not in listed.out
    assert asked_whole == []
    assert fake.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    "answer",
    [
        problem(401, "UNAUTHENTICATED"),
        Answer(302, "", {"Location": "http://127.0.0.1:9/api/flags"}),
        Answer(200, "<html>", {"Content-Type": "text/html"}),
        Answer(200, json.dumps(LISTING)[:-30], {"Content-Type": "application/json"}),
        Answer(200, json.dumps(LISTING)[:-30], {"Content-Type": "application/json"}, declared=5000),
        *(
            Answer(200, json.dumps(LISTING | odd), {"Content-Type": "application/json"})
            for odd in (
                {"flags": [FLAG | {"current_state": "enabled"}]},
                {"flags": [FLAG | {"flag_name": 7}]},
                {"flags": [FLAG | {"canary_percentage": "ten"}]},
                {"flags": [FLAG | {"last_change": {}}]},
                {"now": "2026-11-23T10:05:00"},
                {"tenant_id": "acme"},
                {"flags": None},
            )
        ),
    ],
)
def test_anything_else_is_asked_for_as_by_all_other_commands(
    fc: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch, asked_whole: list[str], answer: Answer
):
    fake.answers["GET", "/api/flags"] = lambda _: answer
    listed = ask(fc, fake, monkeypatch)
    assert asked_whole == [fake.url]
    assert "asked the long way" in listed.err


def test_through_a_proxy_or_with_other_certificates_it_is_not_asked_here(monkeypatch: pytest.MonkeyPatch):
    from flagconsole.cli.invocation import Invocation

    monkeypatch.setattr("http.client.HTTPConnection", lambda *given, **more: pytest.fail("asked directly"))
    monkeypatch.setattr("http.client.HTTPSConnection", lambda *given, **more: pytest.fail("asked directly"))
    for name in ("https_proxy", "HTTP_PROXY", "SSL_CERT_FILE"):
        with monkeypatch.context() as alone:
            alone.setenv(name, "http://10.0.0.1:3128")
            target = Invocation(url="https://flags.example", api_key=KEY).target()
            assert quick_listing.quick_listing(target) is None


def without_ages(result: Any) -> Any:
    """What was changed some seconds ago is older when it is listed again, and its column may be wider."""
    return result._replace(out=re.sub(r"\b\d+[smhd]\b", "AGE", re.sub(r" +", " ", result.out)))


def answered(fake: FakeServer, body: dict[str, Any]) -> None:
    fake.answers["GET", "/api/flags"] = lambda _: Answer(200, json.dumps(body), {"Content-Type": "application/json"})


def ask(fc: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("FLAGCONSOLE_URL", fake.url)
    monkeypatch.setenv("FLAGCONSOLE_API_KEY", KEY)
    return fc("list")


def test_an_embedded_store_is_listed_from_its_file_as_the_store_would(
    fc: Any, home: Any, monkeypatch: pytest.MonkeyPatch
):
    assert fc("init").code == 0
    assert fc("set", "pos.lite", "canary", "try\u202e it", "--percentage", "30").code == 0
    assert fc("set", "pos.loyalty_points", "canary", "these", "--tenant-ids", "t-1,t-2").code == 0
    assert fc("create", "old.thing", "for a test", "--description", "x").code == 0
    assert fc("archive", "old.thing", "done").code == 0
    ages = re.compile(r"\b\d+[smh]\b")
    with monkeypatch.context() as patched:
        patched.setattr("flagconsole.cli.quick_listing.quick_listing", lambda target: None)
        whole = [fc("list").out, fc("list", "--state", "canary").out, fc("list", "--domain", "pos").out]
    with monkeypatch.context() as patched:
        patched.setattr("flagconsole.cli.backend.working_on", None)
        quick = [fc("list").out, fc("list", "--state", "canary").out, fc("list", "--domain", "pos").out]
    assert [ages.sub("AGE", said) for said in quick] == [ages.sub("AGE", said) for said in whole]
    assert "old.thing" not in quick[0]
    assert "2 tenants" in quick[1]


def test_a_file_that_is_not_plainly_this_versions_is_left_to_the_store(fc: Any, home: Any, store_path: Any):
    from flagconsole.store.listed_flags import SCHEMA_VERSION, listed_flags
    from flagconsole.store.sqlite_schema import SCHEMA_VERSION as NEWEST

    assert SCHEMA_VERSION == NEWEST
    assert len(listed_flags(str(store_path)) or ()) > 20
    with sqlite3.connect(store_path) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST - 1}")
    assert listed_flags(str(store_path)) is None
    assert listed_flags(str(home / "nothing.db")) is None
    (home / "no.db").write_text("no database")
    assert fc("list", "--store", f"sqlite:{home / 'no.db'}").code == 6
