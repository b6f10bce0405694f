"""What a client makes of a server that misbehaves. Nothing ever raises, and the revision never goes back."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagconsole.client.stream import ChangeFrame
from flagconsole.sdk import FlagState, Health, Reason
from flagconsole.sdk.applier import Applier
from flagconsole.sdk.held import Held
from flagconsole.sdk.status import Counters

from ..fake_server import Answer, FakeServer, problem, until
from .watcher import Watcher


@pytest.fixture
def client(server, make_client, monkeypatch):
    """It has its stream, and doesn't take a slow machine for a silent server."""
    for patience in ("PATIENCE", "FIRST_PATIENCE"):
        monkeypatch.setattr(f"flagconsole.sdk.core.{patience}", 600.0)
    made = make_client()
    assert made.wait_ready(10)
    until(lambda: server.streams)
    return made


def stream_of(server):
    return until(lambda: server.streams)[0]


def test_events_in_order(server, client):
    for state in ("off", "shadow", "on", "kill"):
        server.change("a.b", state)
    until(lambda: client.status.revision == 5)
    assert client.state("a.b", "t") is FlagState.KILL
    assert client.status.counters.events == 4
    assert server.asked_for("/api/snapshot") == []


def test_a_gap_is_filled_by_a_snapshot(server, client):
    server.change("a.b", "kill", deliver=False)
    server.change("c.d", "on")
    until(lambda: client.status.revision == 3)
    assert client.state("a.b", "t") is FlagState.KILL
    assert client.is_enabled("c.d", "t")
    (asked,) = server.asked_for("/api/snapshot")
    assert asked.headers["x-flagconsole-position"] == "e5:1"
    assert client.status.counters.gaps == 1


def test_what_arrives_while_the_gap_is_filled_is_not_lost():
    """Revision 2 is missing, so 3 and 4 have to wait; the snapshot that comes is only as of 3, and 4 is a kill."""
    server = FakeServer()
    swapped = []
    held = Held(None)
    applier = Applier(held, Counters(), lambda before, after: swapped.append(after.revision))
    applier.snapshot(server.snapshot())
    frames = [
        ChangeFrame("e5", number, server.change("a.b", state)) for number, state in ((2, "off"), (3, "on"), (4, "kill"))
    ]
    for frame in frames[1:]:
        applier.change(frame)
    assert (applier.gap, applier.fetch_now.is_set(), swapped) == (True, True, [1])
    older = FakeServer(revision=3)
    older.put("a.b", "on")
    applier.snapshot(older.snapshot())
    assert swapped == [1, 3, 4]
    assert held.ruleset.evaluate("a.b", "t", 0).state is FlagState.KILL
    assert not applier.gap


def test_a_gap_is_retried_until_a_server_is_far_enough(server, client):
    answers = [problem(503, "replica_behind"), Answer(500, "oops"), Answer(200, '{"schema"'), Answer(0)]
    server.answers["GET", "/api/snapshot"] = lambda asked: answers.pop(0) if answers else Answer(200, server.snapshot())
    server.change("c.d", "off", deliver=False)
    server.change("a.b", "kill")
    until(lambda: client.state("a.b", "t") is FlagState.KILL)
    assert client.status.revision == 3


def test_a_heartbeat_reveals_a_change_that_never_came(server, client):
    server.change("a.b", "kill", deliver=False)
    stream = stream_of(server)
    server.beat(stream)
    assert client.is_enabled("a.b", "t")
    server.beat(stream)
    until(lambda: client.state("a.b", "t") is FlagState.KILL)


def test_duplicates_and_the_past_change_nothing(server, client):
    first = server.change("a.b", "off")
    server.change("a.b", "kill")
    until(lambda: client.status.revision == 3)
    stream = stream_of(server)
    stream.send("change", first, "e5:2")
    stream.send("change", server.events[3], "e5:3")
    server.change("c.d", "on")
    until(lambda: client.status.revision == 4)
    assert client.state("a.b", "t") is FlagState.KILL
    assert client.status.counters.swaps == 4
    assert server.asked_for("/api/snapshot") == []


@pytest.mark.parametrize(
    ("epoch", "revision"), [("e5", 2), ("e4", 3), ("e4", 99)], ids=["older revision", "older epoch", "older but higher"]
)
def test_an_older_whole_snapshot_is_refused(server, client, epoch, revision):
    server.change("a.b", "off")
    server.change("a.b", "kill")
    until(lambda: client.status.revision == 3)
    older = json.loads(server.snapshot(epoch=epoch, revision=revision))
    older["flags"][0]["current_state"] = "on"
    with Watcher(client) as watcher:
        stream_of(server).send("snapshot", older, f"{epoch}:{revision}")
        until(lambda: client.status.counters.refused_older == 1)
        server.answers["GET", "/api/snapshot"] = lambda asked: Answer(200, json.dumps(older))
        stream_of(server).send("change", "not json", "e5:4")
        until(lambda: client.status.counters.refused_older >= 3)
        assert client.state("a.b", "t") is FlagState.KILL
        assert "refused" in (client.status.problem or "")
        del server.answers["GET", "/api/snapshot"]
        server.change("c.d", "on")
        until(lambda: client.status.revision == 4)
    assert watcher.backwards == []


def test_a_newer_epoch_is_adopted_from_a_snapshot_whatever_its_revision(server, client):
    server.change("a.b", "off")
    until(lambda: client.status.revision == 2)
    server.epoch, server.revision, server.events = "e6", 0, {}
    server.put("a.b", "kill")
    server.streams[0].cut()
    until(lambda: client.status.epoch == "e6")
    assert (client.status.revision, client.state("a.b", "t")) == (0, FlagState.KILL)
    until(lambda: any(report["epoch"] == "e6" for report in server.reports))
    newest = next(report for report in server.reports if report["epoch"] == "e6")
    assert [receipt["revision"] for receipt in newest["receipts"]] == [0]


@pytest.mark.parametrize("epoch", ["e4", "e6"])
def test_an_event_of_another_epoch_is_not_applied(server, client, epoch):
    event = json.loads(server.change("a.b", "kill", deliver=False))
    server.put("a.b", "on")
    server.revision -= 1
    stream_of(server).send("change", {**event, "epoch": epoch}, f"{epoch}:2")
    if epoch == "e6":
        until(lambda: client.status.counters.gaps == 1)
        until(lambda: server.asked_for("/api/snapshot"))
    server.change("c.d", "on")
    until(lambda: client.is_enabled("c.d", "t"))
    assert (client.status.epoch, client.status.revision) == ("e5", 2)
    assert client.is_enabled("a.b", "t")
    assert len(server.asked_for("/api/snapshot")) == (epoch == "e6"), "asked once, not for ever"


def test_a_change_that_cannot_be_read_is_replaced_by_a_snapshot(server, client):
    server.change("a.b", "kill", deliver=False)
    stream_of(server).send("change", '{"epoch": "e5", "revision": 2, "flag": {}}', "e5:2")
    until(lambda: client.state("a.b", "t") is FlagState.KILL)
    assert client.status.counters.bad_payloads == 1
    until(lambda: client.status.problem is None)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>log in</html>", {"Content-Type": "text/html"}),
        Answer(500, "oops"),
        Answer(200, "", {"Content-Type": "text/event-stream"}),
        Answer(200, "event: snapshot\nid: e5:1\ndata: {\"schema\":1,", {"Content-Type": "text/event-stream"}, 5000),
        problem(404, "route_not_found"),
        problem(406, "not_acceptable"),
        Answer(0),
    ],
    ids=["html", "500", "empty", "half", "404", "406", "hung up"],
)  # fmt: skip
def test_without_a_stream_it_polls_and_goes_back_to_the_stream_when_it_can(server, make_client, answer, monkeypatch):
    monkeypatch.setattr("flagconsole.sdk.core.PATIENCE", 0.1)
    monkeypatch.setattr("flagconsole.client.stream.REFUSED_SECONDS", 0.01)
    server.answers["GET", "/api/stream"] = lambda asked: answer
    client = make_client(poll_seconds=0.05)
    assert client.wait_ready(10)
    assert client.is_enabled("a.b", "t")
    until(lambda: client.status.transport == "polling")
    server.change("a.b", "kill")
    until(lambda: client.state("a.b", "t") is FlagState.KILL)
    until(lambda: any(report["transport"] == "polling" for report in server.reports))
    assert client.status.health is Health.READY
    del server.answers["GET", "/api/stream"]
    until(lambda: client.status.transport == "stream")
    server.change("a.b", "on")
    until(lambda: client.is_enabled("a.b", "t"))


def test_polling_on_purpose_opens_no_stream_and_asks_only_for_news(server, make_client):
    client = make_client(stream=False, poll_seconds=0.02)
    assert client.wait_ready(10)
    until(lambda: len(server.asked_for("/api/snapshot")) >= 4)
    assert server.asked_for("/api/snapshot")[-1].headers["if-none-match"] == '"e5:1"'
    server.change("a.b", "kill")
    until(lambda: client.state("a.b", "t") is FlagState.KILL)
    assert server.asked_for("/api/stream") == []
    assert client.status.transport == "polling"


def test_a_healthy_stream_needs_no_polling(server, client):
    assert server.asked_for("/api/snapshot") == []
    assert client.status.transport == "stream"


def test_a_refused_key_is_an_error_while_the_last_good_rules_are_served(server, client, caplog):
    refused = problem(401, "unauthenticated", "The key was revoked.")
    server.answers["GET", "/api/stream"] = lambda asked: refused
    server.streams[0].cut()
    until(lambda: client.status.health is Health.ERROR)
    assert "The key was revoked." in client.status.problem
    assert client.is_enabled("a.b", "t")
    [warned] = [record.getMessage() for record in caplog.records if "until the key is taken" in record.getMessage()]
    assert "The key was revoked." in warned
    assert "as they were last known" in warned


def test_silence_is_noticed_and_another_connection_made(server, make_client, monkeypatch):
    monkeypatch.setattr("flagconsole.client.stream.Stream.__init__.__kwdefaults__", {
        **__import__("flagconsole.client.stream", fromlist=["Stream"]).Stream.__init__.__kwdefaults__, "watchdog_seconds": 0.15
    })  # fmt: skip
    client = make_client()
    until(lambda: client.status.counters.connections >= 3)
    assert "nothing was heard" in until(lambda: client.status.problem)
    assert client.is_enabled("a.b", "t")


def test_staleness_is_told_though_the_rules_are_served(server, client, monkeypatch):
    assert client.status.health is Health.READY
    client._held.confirmed_at -= 31
    assert client.status.health is Health.STALE
    assert client.is_enabled("a.b", "t")
    assert client.status.confirmed_age > 30
    server.beat(stream_of(server))
    until(lambda: client.status.health is Health.READY)


def test_a_server_that_is_behind_confirms_nothing(server, client):
    client._held.confirmed_at -= 31
    server.beat(stream_of(server), revision=0)
    until(lambda: client.status.contact_age < 1)
    assert client.status.health is Health.STALE


def test_overrides_expire_by_the_servers_time_not_by_this_machines(server, make_client):
    """The server lives in another year: its clock decides, to the moment."""
    year = datetime(2031, 1, 1, tzinfo=UTC).timestamp()
    start = time.monotonic()
    server.now = lambda: year + time.monotonic() - start
    server.put("a.b", "off")
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: server.streams)
    expires = year + time.monotonic() - start + 0.4
    server.override("a.b", "t", "on", datetime.fromtimestamp(expires, UTC).isoformat())
    server.override("a.b", "u", "on", "2030-12-31T23:59:59Z")
    until(lambda: client.evaluate("a.b", "t").reason is Reason.OVERRIDE)
    assert client.state("a.b", "u") is FlagState.OFF
    until(lambda: client.state("a.b", "t") is FlagState.OFF)
    assert abs(server.now() - expires) < 0.2
    assert client.evaluate("a.b", "t").reason is Reason.STATE


def test_cut_at_any_byte_many_times_it_never_goes_back(server, make_client):
    """Each stream gets a random part of what it should get, then the connection is gone."""
    dice = random.Random(20261123)

    def greet(stream):
        sent = []
        real = stream.raw
        stream.raw = sent.append
        server.welcome(stream)
        stream.raw = real
        whole = "".join(sent).encode()
        if dice.random() < 0.8:
            stream.raw(whole[: dice.randint(0, len(whole))])
            stream.cut()
        else:
            stream.raw(whole)

    server.greet = greet
    client = make_client()
    with Watcher(client) as watcher:
        for number in range(60):
            until(lambda wanted=number: client.status.counters.connections > wanted)
            server.change("a.b", dice.choice(("on", "off", "shadow", "kill")), deliver=dice.random() < 0.7)
            for stream in list(server.streams):
                stream.cut()
        server.change("a.b", "kill")
        for stream in list(server.streams):
            stream.cut()
        server.greet = None
        until(lambda: client.status.revision == server.revision)
    assert watcher.backwards == []
    assert len(watcher.seen) > 5
    assert client.state("a.b", "t") is FlagState.KILL


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["on", "e1", "a.b"])
)
_KEYS = st.sampled_from(["schema", "epoch", "revision", "flags", "overrides", "change", "flag", "flag_name", "x"])
json_values = st.deferred(
    lambda: leaves | st.lists(json_values, max_size=3) | st.dictionaries(_KEYS, json_values, max_size=5)
)


@given(payloads=st.lists(st.tuples(st.booleans(), json_values | st.binary(max_size=20)), max_size=6))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_payload_raises_or_turns_anything_on(payloads):
    held = Held(None)
    applier = Applier(held, Counters(), lambda before, after: None)
    applier.snapshot(
        '{"schema":1,"epoch":"e1","revision":1,"flags":[{"flag_name":"a.b","current_state":"kill"}],"overrides":[]}'
    )
    highest = held.position
    for whole, payload in payloads:
        text = payload if isinstance(payload, bytes) else json.dumps(payload)
        if whole:
            applier.snapshot(text)
        else:
            applier.change(ChangeFrame("e1", 2, text if isinstance(text, str) else text.decode("latin-1")))
        assert held.position >= highest
        highest = held.position
        assert not held.ruleset.evaluate("a.b", "t", time.time()).enabled
