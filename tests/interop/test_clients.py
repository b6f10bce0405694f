"""Public clients, as they come, against a real server: what they answer is what our evaluator answers, and kills reach them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from flagconsole.domain.payload import parse_snapshot
from flagconsole.domain.role import Role

from ..fake_server import until
from ..live_server import LiveServer
from .harness import KNOWN, driven, missing

TENANTS = [f"tenant-{number:04}" for number in range(5000)]
UNLEASH = [client for client in KNOWN if client.name.startswith("unleash")]
OFREP = [client for client in KNOWN if client.name.startswith("ofrep")]


def each(clients):
    """A test for each client; where one isn't there, it says why."""
    return pytest.mark.parametrize(
        "client",
        [
            pytest.param(
                client,
                id=client.name,
                marks=pytest.mark.skipif(missing(client) is not None, reason=str(missing(client))),
            )
            for client in clients
        ],
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A flag in every state, with every kind of cohort, override and dependency."""
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('interop') / 'flags.db'}") as running:
        flag(running, "a.off", "off")
        flag(running, "a.shadow", "shadow")
        flag(running, "a.on", "on")
        flag(running, "a.killed", "on")
        flag(running, "a.hashed", "canary", canary_percentage=10)
        flag(running, "a.everybody", "canary", canary_percentage=100)
        flag(running, "a.nobody", "canary", canary_percentage=0)
        flag(running, "a.chosen", "canary", canary_tenant_ids=TENANTS[::50])
        drawn = {"canary_tenant_ids": TENANTS[:4000:100], "canary_holdout_ids": TENANTS[1:4000:3]}
        flag(running, "a.drawn", "canary", canary_percentage=30, **drawn)
        flag(running, "b.on", "on")
        flag(running, "b.off", "off")
        flag(running, "b.half", "canary", canary_percentage=50)
        for name in ("b.on", "b.off", "b.half", "a.killed"):
            for number, state in enumerate(("off", "shadow", "canary", "on")):
                override(running, name, TENANTS[number], state)
                override(running, name, TENANTS[10 + number], state, datetime.now(UTC) + timedelta(hours=1))
        flag(running, "c.near", "on", dependencies=["a.hashed"])
        flag(running, "c.far", "canary", canary_percentage=60, dependencies=["c.near", "b.on"])
        flag(running, "c.farthest", "on", dependencies=["c.far", "b.half"])
        flag(running, "c.below_shadow", "on", dependencies=["a.shadow"])
        flag(running, "c.below_killed", "on", dependencies=["a.killed"])
        flag(running, "c.below_nothing", "on", dependencies=["external.thing"])
        call(running, "POST", "/api/flags/a.killed/kill", {"kill_reason": "x"})
        yield running


def call(running, method, path, body):
    answer = running.request(method, path, json=body)
    assert answer.status_code < 300, answer.text


def flag(running, name, state, *, dependencies=(), **more):
    call(running, "POST", "/api/flags", {"flag_name": name, "dependencies": list(dependencies)})
    if state != "off":
        call(running, "PUT", f"/api/flags/{name}", {"change_reason": "x", "current_state": state, **more})


def override(running, name, tenant, state, expires_at=None):
    body = {"override_state": state, "override_reason": "x", "tenant_id": tenant}
    if expires_at is not None:
        body["expires_at"] = expires_at.isoformat()
    call(running, "PUT", f"/api/flags/{name}/override", body)


def rules_of(running):
    return parse_snapshot(running.request("GET", "/api/snapshot").content)


def differences(rules, answers, tenants):
    """The flags and tenants for which a client says something else than our evaluator."""
    now = time.time()
    return [
        (name, tenant)
        for name, values in answers.items()
        for tenant, value in zip(tenants, values, strict=True)
        if value is not rules.evaluate(name, tenant, now).enabled
    ]


@each(UNLEASH)
def test_unleash_clients_answer_as_our_evaluator(server, client):
    tenants = TENANTS if client.told else TENANTS[:500]
    rules = rules_of(server)
    with driven(client, server.url, server.keys[Role.SDK]) as running:
        answers = running.answers(sorted(rules.rules), tenants)
    assert differences(rules, answers, tenants) == []
    assert {sum(values) for name, values in answers.items() if name in ("a.off", "a.shadow", "a.killed")} == {0}
    assert sum(answers["a.hashed"]) > 0


@each(OFREP)
def test_ofrep_clients_answer_as_our_evaluator(server, client):
    tenants = [*TENANTS[:5], *TENANTS[10:14]]
    rules = rules_of(server)
    with driven(client, server.url, server.keys[Role.SDK], tenant=tenants[0]) as running:
        answers = running.answers(sorted(rules.rules), tenants)
    assert differences(rules, answers, tenants) == []


@each(KNOWN)
def test_a_kill_reaches_them(server, client):
    name = f"kill.{client.name}"
    flag(server, name, "on")
    with driven(client, server.url, server.keys[Role.SDK], tenant=TENANTS[0]) as running:
        running.watch(name, TENANTS[0])
        call(server, "POST", f"/api/flags/{name}/kill", {"kill_reason": "x"})
        running.off_at()
        assert running.answers([name], TENANTS[:3]) == {name: [False, False, False]}


@each([client for client in UNLEASH if client.told])
def test_an_override_ends_on_time_though_the_server_is_away(tmp_path, client):
    with LiveServer(f"sqlite:{tmp_path / 'flags.db'}") as server:
        flag(server, "a.on", "on")
        flag(server, "a.off", "off")
        with driven(client, server.url, server.keys[Role.SDK]) as running:
            expires_at = datetime.now(UTC) + timedelta(seconds=6)
            override(server, "a.on", "t-1", "off", expires_at)
            override(server, "a.off", "t-1", "on", expires_at)
            want = {"a.on": [False, True], "a.off": [True, False]}
            until(lambda: running.answers(["a.on", "a.off"], ["t-1", "t-2"]) == want, 5)
            server.stop()
            until(lambda: datetime.now(UTC) > expires_at, 10)
            assert running.answers(["a.on", "a.off"], ["t-1", "t-2"]) == {"a.on": [True, True], "a.off": [False, False]}


@each([client for client in UNLEASH if client.name == "unleash-node-polling"])
def test_what_they_count_is_seen_and_so_are_they(server, client):
    with driven(client, server.url, server.keys[Role.SDK], metrics_seconds=1) as running:
        running.answers(["a.on", "a.off"], TENANTS[:3])

        def counted():
            groups = server.request("GET", "/api/flags/a.on/metrics").json()["groups"]
            return groups.get("other", {}).get("totals", {}).get("custom", {}).get("evaluated_enabled")

        until(lambda: counted() == {"kind": "ratio", "value": 1.0, "count": 3}, 20)
    (seen,) = [
        instance
        for instance in server.request("GET", "/api/instances").json()["instances"]
        if instance["service"] == "billing"
        and instance["sdk_version"].startswith("unleash-node")
        and instance["transport"] == "polling"
        and instance["presence"] == "live"
    ][-1:]
    assert seen["instance_id"].startswith("unleash:")


ODD = ["a b", 'say "hi"', "it's", "back\\slash", "a,b", "[x]", "{y}", "1", "1.0", "true", "null", "#", "%41", "x" * 128]
FOREIGN = ["Jürgen", "日本", "🦊", "Å", "ﬁ"]
SPACED = [" a b", "a b ", " 1"]


@each([client for client in UNLEASH if client.told])
def test_odd_ids_of_tenants_are_told_apart(tmp_path, client):
    """Of ids that clients would trim only this is promised: they are never taken in by a list, and are kept out by one."""
    with LiveServer(f"sqlite:{tmp_path / 'flags.db'}") as server:
        # One of the clients hashes what isn't ASCII in its own way.
        foreign = [] if "node" in client.name else FOREIGN
        tenants = [*ODD, *foreign]
        flag(server, "a.hashed", "canary", canary_percentage=50)
        flag(server, "a.chosen", "canary", canary_tenant_ids=[*ODD[::2], *FOREIGN[::2], " 1"])
        flag(server, "a.on", "on")
        for tenant in (*ODD[1::2], *FOREIGN[1::2], *SPACED):
            override(server, "a.on", tenant, "off")
        rules = rules_of(server)
        with driven(client, server.url, server.keys[Role.SDK]) as running:
            answers = running.answers(sorted(rules.rules), tenants)
            assert differences(rules, answers, tenants) == []
            chosen = running.answers(["a.chosen"], FOREIGN)
            assert differences(rules, chosen, FOREIGN) == []
            spaced = running.answers(["a.chosen", "a.on"], SPACED)
        assert spaced == {"a.chosen": [False] * 3, "a.on": [False] * 3}
