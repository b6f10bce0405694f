"""Calls: what is sent, how answers and errors come back, and what is known when no answer comes."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, date, datetime
from types import SimpleNamespace

import httpx
import pytest
import stamina

from flagconsole.client import Client, attempts
from flagconsole.client.attempts import Patience
from flagconsole.client.reaching import what_failed
from flagconsole.domain import requests as ask
from flagconsole.domain.errors import (
    ExitCode,
    FlagConsoleError,
    FlagKilled,
    FlagNotFound,
    InvalidInput,
    NotAllowed,
    OutcomeUnknown,
    ReplicaBehind,
    Unauthenticated,
    UnexpectedAnswer,
    Unreachable,
    VersionConflict,
)
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState

from ..fake_server import KEY, Answer, problem

MOMENT = "2026-11-23T03:14:07Z"
FLAG = {
    "flag_name": "pos.lite",
    "current_state": "kill",
    "version": 4,
    "created_at": MOMENT,
    "created_by": "ada",
    "updated_at": MOMENT,
    "updated_by": "olu",
}
RESULT = {"changed": True, "epoch": "e5", "revision": 9, "flag": FLAG}
KILL = ask.Kill(kill_reason="error rate above 2 %")


def done(**changes):
    return Answer(200, json.dumps({**RESULT, **changes}))


@pytest.fixture
async def client(server):
    async with Client(server.url, KEY, timeout=2.0) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quick():
    """The real numbers of tries, without their waits."""
    stamina.set_testing(True, attempts=100, cap=True)
    yield
    stamina.set_testing(False)


def script(server, method, path, *answers):
    """Answer with each in turn; the last one from then on."""
    waiting = list(answers)
    server.answers[method, path] = lambda asked: waiting.pop(0) if len(waiting) > 1 else waiting[0]


async def test_a_kill_is_sent_with_its_reason_and_a_key(server, client):
    script(server, "POST", "/api/flags/pos.lite/kill", done())
    result = await client.kill("pos.lite", KILL)
    assert (result.changed, result.revision, result.flag.current_state) == (True, 9, FlagState.KILL)
    (asked,) = server.requests
    assert asked.json() == {"kill_reason": "error rate above 2 %"}
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["content-type"] == "application/json"
    assert len(asked.headers["idempotency-key"]) == 36
    assert "if-match" not in asked.headers


@pytest.mark.parametrize(
    ("call", "method", "path", "body"),
    [
        (
            lambda c: c.update("a.b", ask.FlagUpdate(change_reason="r", canary_percentage=10), version=3),
            "PUT",
            "/api/flags/a.b",
            {"change_reason": "r", "canary_percentage": 10},
        ),
        (
            lambda c: c.create(ask.FlagCreate(flag_name="a.b", expires_on=date(2027, 1, 2))),
            "POST",
            "/api/flags",
            {"flag_name": "a.b", "expires_on": "2027-01-02"},
        ),
        (
            lambda c: c.revive("a.b", ask.Revive(revive_reason="r"), version=3),
            "POST",
            "/api/flags/a.b/revive",
            {"revive_reason": "r"},
        ),
        (
            lambda c: c.rollback("a.b", ask.Rollback(rollback_reason="r", target_change_id=2), version=3),
            "POST",
            "/api/flags/a.b/rollback",
            {"rollback_reason": "r", "target_change_id": 2},
        ),
        (
            lambda c: c.set_override(
                "a.b",
                ask.OverrideSet(
                    override_state=FlagState.ON,
                    override_reason="r",
                    expires_at=datetime(2026, 12, 1, tzinfo=UTC),
                    tenant_id="t 1",
                ),
                version=3,
            ),
            "PUT",
            "/api/flags/a.b/override",
            {
                "override_state": "on",
                "override_reason": "r",
                "expires_at": "2026-12-01T00:00:00Z",
                "tenant_id": "t 1",
            },
        ),
        (
            lambda c: c.remove_override("a.b", ask.OverrideRemove(override_reason="r&d", tenant_id="t/1"), version=3),
            "DELETE",
            "/api/flags/a.b/override?override_reason=r%26d&tenant_id=t%2F1",
            None,
        ),
        (
            lambda c: c.archive("a.b", ask.Archive(change_reason="gone"), version=3),
            "DELETE",
            "/api/flags/a.b?change_reason=gone",
            None,
        ),
    ],
)
async def test_what_each_change_sends(server, client, call, method, path, body):
    script(server, method, path.partition("?")[0], done())
    await call(client)
    (asked,) = server.requests
    assert (asked.method, asked.path) == (method, path)
    assert (asked.json() if asked.body else None) == body
    assert asked.headers["idempotency-key"]
    assert asked.headers.get("if-match") == (None if path == "/api/flags" else '"3"')


async def test_a_dry_run_says_so(server, client):
    script(server, "POST", "/api/flags/a.b/kill", done(dry_run=True))
    result = await client.kill("a.b", KILL, dry_run=True)
    assert result.dry_run
    assert server.requests[0].path == "/api/flags/a.b/kill?dry_run=true"


async def test_a_name_is_one_segment_of_the_path_whatever_it_holds(server, client):
    with pytest.raises(FlagConsoleError):
        await client.flag("../../x?y#z ä\ud800")
    assert server.requests[0].path == "/api/flags/..%2F..%2Fx%3Fy%23z%20%C3%A4%3F"
    for name in ("", ".", ".."):
        with pytest.raises(FlagNotFound):
            await client.kill(name, KILL)
    assert len(server.requests) == 1


async def test_positions_are_remembered_and_sent(server, client):
    status = [9, 12, 3]
    server.answers["GET", "/api/flags"] = lambda asked: Answer(
        200,
        json.dumps({"epoch": "e5", "revision": status.pop(0), "now": MOMENT, "flags": [], "overrides": []}),
    )
    assert client.position is None
    for _ in range(3):
        await client.flags()
    assert client.position == ("e5", 12)
    assert [asked.headers.get("x-flagconsole-position") for asked in server.requests] == [None, "e5:9", "e5:12"]


async def test_a_newer_server_may_say_more(server, client):
    script(server, "POST", "/api/flags/a.b/kill", done(mood="fine", flag={**FLAG, "colour": "red"}))
    assert (await client.kill("a.b", KILL)).revision == 9


@pytest.mark.parametrize(
    ("answer", "kind", "exit_code"),
    [
        (problem(401, "unauthenticated"), Unauthenticated, ExitCode.NOT_ALLOWED),
        (problem(403, "not_allowed", "This needs the role admin.", required="admin"), NotAllowed, ExitCode.NOT_ALLOWED),
        (problem(404, "flag_not_found", "There is no flag 'a.b'.", flag="a.b"), FlagNotFound, ExitCode.NOT_FOUND),
        (problem(409, "flag_killed", flag="a.b"), FlagKilled, ExitCode.REFUSED),
        (problem(412, "version_conflict", changed_by="olu", current=5), VersionConflict, ExitCode.CONFLICT),
    ],
)
async def test_a_problem_comes_back_as_the_error_it_is(server, client, answer, kind, exit_code):
    script(server, "PUT", "/api/flags/a.b", answer)
    with pytest.raises(kind) as caught:
        await client.update("a.b", ask.FlagUpdate(change_reason="r"), version=1)
    sent = json.loads(answer.body)
    assert (caught.value.message, caught.value.hint) == (sent["detail"], "Do.")
    assert caught.value.details == sent["details"]
    assert str(caught.value) == f"{sent['detail']} Do."
    assert caught.value.exit_code == exit_code
    assert len(server.requests) == 1, "what the server decided is not asked again"


async def test_a_problem_cannot_write_to_the_terminal(server, client):
    hostile = problem(409, "flag_killed", "\x1b[2J" + "x" * 5000, changed_by="\x9b31m", deep={"a": "\x07"})
    script(server, "GET", "/api/flags/a.b", hostile)
    with pytest.raises(FlagKilled) as caught:
        await client.flag("a.b")
    assert caught.value.message.startswith("\\u{1b}[2Jxxx")
    assert len(caught.value.message) <= 500
    assert caught.value.details["changed_by"] == "\\u{9b}31m"
    assert "\x07" not in repr(caught.value.details)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>Welcome to the hotel</html>", {"Content-Type": "text/html"}),
        Answer(200, ""),
        Answer(200, '{"flag": null}'),
        Answer(200, "[" * 100_000),
        Answer(204, ""),
        Answer(302, "", {"Location": "http://127.0.0.1:9/"}),
        Answer(418, "teapot"),
        Answer(409, '{"code": "of_the_future", "detail": "no \x1b"}'),
        Answer(400, '{"code": ["x"], "detail": 5}'),
        Answer(500, "<html>oops</html>"),
    ],
    ids=lambda answer: f"{answer.status}-{str(answer.body)[:12]}",
)
async def test_what_is_not_understood_is_an_error_of_ours(server, client, answer):
    script(server, "GET", "/api/flags/a.b", answer)
    with pytest.raises(UnexpectedAnswer) as caught:
        await client.flag("a.b")
    assert "\x1b" not in str(caught.value)
    assert server.url in str(caught.value)


async def test_no_server_is_unreachable_with_where_and_why():
    async with Client("http://127.0.0.1:9", KEY) as client:
        with pytest.raises(Unreachable) as caught:
            await client.kill("a.b", KILL)
    assert "http://127.0.0.1:9 can't be reached: connection refused" in str(caught.value)
    assert caught.value.exit_code == ExitCode.UNREACHABLE


def test_a_server_without_tls_is_named_as_that():
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1016)")
    error.reason = "WRONG_VERSION_NUMBER"
    wrapped = httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER]")
    wrapped.__cause__ = error
    assert what_failed(wrapped) == "it answers, but not in TLS (is it http:// instead of https://?)"
    error.reason = "CERTIFICATE_VERIFY_FAILED"
    assert what_failed(wrapped) == "no TLS with it: certificate verify failed"


@pytest.mark.parametrize(
    ("url", "key", "field"),
    [
        ("", KEY, "url"),
        ("ftp://host", KEY, "url"),
        ("http://", KEY, "url"),
        ("localhost:8765", KEY, "url"),
        ("http://user:secret@host", KEY, "url"),
        ("http://host:99999", KEY, "url"),
        ("http://host/?x", KEY, "url"),
        ("http://ho st", KEY, "url"),
        ("http://host", "", "api_key"),
        ("http://host", "fc_\n", "api_key"),
        ("http://host", "schlüssel", "api_key"),
    ],
)
def test_an_impossible_address_or_key_is_refused_by_name(url, key, field):
    with pytest.raises(InvalidInput) as caught:
        Client(url, key)
    assert caught.value.details["field"] == field
    assert "secret" not in str(caught.value)
    assert "schl" not in str(caught.value)


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(server, client):
    script(
        server,
        "POST",
        "/api/flags/a.b/kill",
        Answer(0),
        Answer(200, b'{"chan', declared=500),
        problem(503, "shutting_down"),
        Answer(502, "<html>Bad Gateway</html>"),
        done(replayed=True),
    )
    result = await client.kill("a.b", KILL)
    assert result.replayed
    keys = [asked.headers["idempotency-key"] for asked in server.requests]
    assert len(keys) == 5
    assert len(set(keys)) == 1


@pytest.mark.parametrize(
    "last",
    [
        Answer(0),
        problem(503, "shutting_down"),
        Answer(504, "<html>Gateway Timeout</html>"),
        problem(401, "unauthenticated"),
        Answer(200, "<html>Welcome to the hotel</html>"),
    ],
    ids=["cut", "503", "504", "401", "html"],
)
async def test_when_nobody_can_tell_the_outcome_is_unknown(server, client, last):
    script(server, "POST", "/api/flags/a.b/kill", Answer(0), last)
    with pytest.raises(OutcomeUnknown) as caught:
        await client.kill("a.b", KILL, idempotency_key="key-7")
    assert caught.value.details["idempotency_key"] == "key-7"
    assert (caught.value.code, caught.value.exit_code) == ("outcome_unknown", ExitCode.UNREACHABLE)


async def test_a_timeout_after_sending_is_unknown(server):
    async with Client(server.url, KEY, timeout=0.05) as client:
        server.answers["PUT", "/api/flags/a.b"] = lambda asked: Answer(200, b"{", declared=100)
        with pytest.raises(OutcomeUnknown):
            await client.update("a.b", ask.FlagUpdate(change_reason="r"))
    assert len(server.requests) == attempts.CHANGE.tries


@pytest.mark.parametrize(
    ("last", "kind"),
    [(problem(409, "flag_killed"), FlagKilled), (problem(412, "version_conflict"), VersionConflict)],
)
async def test_a_decision_after_a_lost_answer_is_the_outcome(server, client, last, kind):
    script(server, "PUT", "/api/flags/a.b", Answer(0), last)
    with pytest.raises(kind):
        await client.update("a.b", ask.FlagUpdate(change_reason="r"))


async def test_a_server_that_does_not_know_the_outcome_is_asked_again(server, client):
    script(server, "POST", "/api/flags/a.b/kill", problem(503, "outcome_unknown"))
    with pytest.raises(OutcomeUnknown) as caught:
        await client.kill("a.b", KILL)
    sent = {request.headers["idempotency-key"] for request in server.requests}
    assert len(server.requests) == attempts.KILL.tries
    assert sent == {caught.value.details["idempotency_key"]}


async def test_what_was_never_taken_up_is_not_unknown(server, client):
    script(server, "POST", "/api/flags/a.b/kill", problem(503, "replica_behind"))
    with pytest.raises(ReplicaBehind):
        await client.kill("a.b", KILL)
    assert len(server.requests) == attempts.KILL.tries, "a kill is tried hardest"


async def test_a_dry_run_has_no_outcome_that_could_be_unknown(server, client):
    script(server, "POST", "/api/flags/a.b/kill", Answer(0))
    with pytest.raises(Unreachable):
        await client.kill("a.b", KILL, dry_run=True)


async def test_a_key_is_never_made_twice(server, client):
    script(server, "POST", "/api/keys", Answer(0))
    with pytest.raises(OutcomeUnknown):
        await client.create_key(ask.KeyCreate(name="ci", role=Role.SDK))
    assert len(server.requests) == 1


async def test_an_endless_answer_is_cut_off(server, client, monkeypatch):
    monkeypatch.setattr("flagconsole.client.answer.read_body.__defaults__", (1000,))
    script(server, "GET", "/api/snapshot", Answer(200, "x" * 2000))
    with pytest.raises(UnexpectedAnswer, match="larger than"):
        await client.snapshot()


async def test_retries_say_nothing_on_standard_error(server, client, capfd):
    script(server, "POST", "/api/flags/a.b/kill", Answer(0), done())
    await client.kill("a.b", KILL)
    assert capfd.readouterr() == ("", "")


def test_trying_ends():
    for patience in (attempts.READ, attempts.CHANGE, attempts.KILL):
        assert isinstance(patience, Patience)
        assert patience.seconds <= 20
    assert attempts.KILL.tries > attempts.CHANGE.tries > 1


async def test_every_call_against_the_real_server(live_server):
    """Ask the real thing once for everything, so that models and routes can't drift apart."""
    async with Client(live_server.url, live_server.keys[Role.ADMIN]) as client:
        await client.put_tenants(ask.TenantsPut(tenants=(ask.TenantRecord(tenant_id="t1", name="Ada's"),)))
        assert [tenant.tenant_id for tenant in (await client.tenants()).tenants] == ["t1"]
        made = await client.create(ask.FlagCreate(flag_name="pos.lite"))
        on = await client.update(
            "pos.lite", ask.FlagUpdate(change_reason="go", current_state=FlagState.ON), version=made.flag.version
        )
        assert client.position == (on.epoch, on.revision)
        assert (await client.blast_radius("pos.lite")).losing == 1
        assert (await client.flags("t1")).effective_states == {"pos.lite": FlagState.ON}
        assert (await client.flag("pos.lite", "t1")).effective_state is FlagState.ON
        killed = await client.kill("pos.lite", KILL, idempotency_key="k1")
        again = await client.kill("pos.lite", KILL, idempotency_key="k1")
        assert (killed.changed, again.replayed, again.revision) == (True, True, killed.revision)
        with pytest.raises(FlagKilled):
            await client.update("pos.lite", ask.FlagUpdate(change_reason="x", current_state=FlagState.ON), version=3)
        revived = await client.revive("pos.lite", ask.Revive(revive_reason="fixed"), version=killed.flag.version)
        with pytest.raises(VersionConflict) as conflict:
            await client.update("pos.lite", ask.FlagUpdate(change_reason="x", current_state=FlagState.ON), version=1)
        assert conflict.value.details["changed_by"]
        override = ask.OverrideSet(override_state=FlagState.SHADOW, override_reason="try", tenant_id="t1")
        await client.set_override("pos.lite", override, version=revived.flag.version)
        await client.remove_override("pos.lite", ask.OverrideRemove(tenant_id="t1"))
        assert (
            await client.rollback("pos.lite", ask.Rollback(rollback_reason="r", allow_raise=True), dry_run=True)
        ).dry_run
        page = await client.history("pos.lite", limit=2)
        older = await client.history("pos.lite", limit=2, before=page.next_before)
        assert page.changes[-1].change_id > older.changes[0].change_id
        assert len((await client.history(domain="pos")).changes) >= 4
        new = await client.create_key(ask.KeyCreate(name="ci", role=Role.SDK))
        assert new.api_key.key_id in {key.key_id for key in (await client.keys()).keys}
        assert (await client.revoke_key(new.api_key.key_id)).revoked_at
        await client.archive("pos.lite", ask.Archive(change_reason="done"))
        assert (await client.verify_audit()).verified
        status = await client.status()
        assert (status.you.role, status.flags) == (Role.ADMIN, 0)
        assert (await client.instances()).expected == 0
        assert json.loads(await client.snapshot())["revision"] == status.revision


def test_the_package_hands_its_names_on():
    import flagconsole.client as package

    assert package.Stream.__name__ == "Stream"
    assert isinstance(SimpleNamespace(client=package.Client).client, type)
    with pytest.raises(AttributeError):
        package.Nothing  # noqa: B018
