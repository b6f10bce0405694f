"""What a service sees: answers that are right, never raise, and never wait."""

from __future__ import annotations

import threading
from math import inf

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagconsole.domain.evaluation import Evaluation
from flagconsole.sdk import FlagClient, FlagState, Health, Reason
from flagconsole.sdk.held import Held

from ..fake_server import KEY, until


def offline(**options):
    return FlagClient("http://127.0.0.1:9", KEY, cache_dir=False, start=False, **options)


def test_states_reasons_and_revision(server, make_client):
    server.put("c.d", "shadow")
    server.put("e.f", "canary", canary_tenant_ids=["t1"])
    server.put("g.h", "on", dependencies=["k.l"])
    server.put("k.l", "kill")
    client = make_client()
    assert client.wait_ready(10)
    assert client.state("a.b", "t1") is FlagState.ON
    assert (client.is_enabled("a.b", "t1"), client.is_shadow("a.b", "t1")) == (True, False)
    assert (client.is_enabled("c.d", "t1"), client.is_shadow("c.d", "t1")) == (False, True)
    assert (client.is_enabled("e.f", "t1"), client.is_enabled("e.f", "t2")) == (True, False)
    assert client.evaluate("e.f", "t2") == Evaluation("e.f", FlagState.OFF, Reason.OUTSIDE_COHORT, 1)
    assert client.evaluate("g.h", "t1") == Evaluation("g.h", FlagState.OFF, Reason.DEPENDENCY, 1, "k.l")
    assert client.state("k.l", "t1") is FlagState.KILL
    assert client.evaluate("no.such", "t1") == Evaluation("no.such", FlagState.OFF, Reason.FLAG_NOT_FOUND, 1)


def test_a_kill_arrives_and_is_confirmed(server, make_client):
    client = make_client()
    assert client.wait_ready(10)
    until(lambda: server.streams)
    server.change("a.b", "kill")
    until(lambda: client.state("a.b", "t1") is FlagState.KILL)
    assert client.evaluate("a.b", "t1").revision == 2
    until(lambda: any(receipt["revision"] == 2 for report in server.reports for receipt in report["receipts"]))


def test_before_any_data_all_is_off_and_stale():
    client = offline()
    assert client.evaluate("a.b", "t") == Evaluation("a.b", FlagState.OFF, Reason.STALE, -1)
    assert client.status.health is Health.ERROR
    assert (client.status.revision, client.status.problem) == (-1, "not started")
    assert not client.wait_ready(0)


class Awkward(str):
    """A string that can't be hashed as one."""

    __slots__ = ()

    def __hash__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "wrong", [None, 5, b"a.b", ["a.b"], {}, object(), inf, "", "\ud800", Awkward("a.b"), "x" * 10**6]
)
def test_arguments_of_any_kind_are_off(server, make_client, wrong):
    client = make_client()
    for _ in range(2):
        assert client.state(wrong, "t") is FlagState.OFF
        assert client.wait_ready(10)
        assert client.evaluate(wrong, "t").reason is Reason.FLAG_NOT_FOUND
        assert client.with_flag(wrong, wrong, lambda: "ran", "not") == "not"
    if not isinstance(wrong, str):
        assert not client.is_enabled("a.b", wrong), "a tenant must be named to get a feature"


def test_with_flag_runs_the_one_or_the_other(server, make_client):
    client = make_client()
    assert client.wait_ready(10)
    assert client.with_flag("a.b", "t", lambda: "new", lambda: "old") == "new"
    assert client.with_flag("no.such", "t", lambda: "new", lambda: "old") == "old"
    assert client.with_flag("no.such", "t", lambda: "new", "plain value") == "plain value"
    with pytest.raises(ZeroDivisionError):
        client.with_flag("a.b", "t", lambda: 1 / 0, None)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("", KEY), ValueError),
        (("http://x", " "), ValueError),
        ((None, KEY), TypeError),
        (("http://x", 5), TypeError),
    ],
)
def test_only_wrong_arguments_are_refused_when_it_is_made(arguments, error):
    with pytest.raises(error):
        FlagClient(*arguments, start=False)


@pytest.mark.parametrize("option", ["poll_seconds", "max_age"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_durations_must_be_positive(option, seconds):
    with pytest.raises(ValueError, match=option):
        offline(**{option: seconds})


@pytest.mark.parametrize("url", ["ftp://x", "no url", "http://[::", "http://127.0.0.1:9", "http://nowhere.invalid"])
def test_a_server_that_cannot_be_had_is_a_status(url, make_client):
    client = make_client(url=url)
    assert not client.wait_ready(0.1)
    assert client.state("a.b", "t") is FlagState.OFF
    assert client.status.health is Health.ERROR
    until(lambda: client.status.problem not in (None, "no contact with the server yet"))


def test_names_are_made_fit_for_urls_and_headers():
    client = offline(instance="host/1 ä?#", service="bill\ning\x1b")
    assert client.instance == "host-1----"
    assert client._settings.service == "bill_ing_"
    assert offline(instance="..").instance == "instance-.."
    assert offline().instance != offline().instance


def test_listeners_hear_of_changes_and_may_fail(server, make_client):
    client = make_client(start=False)
    heard, slow = [], threading.Event()

    def broken(update):
        raise RuntimeError("customer's mistake")

    client.on_change(broken)
    remove = client.on_change(heard.append)
    client.on_change(lambda update: slow.wait(0.2))
    client.start()
    assert client.wait_ready(10)
    until(lambda: heard)
    until(lambda: server.streams)
    server.change("a.b", "kill")
    until(lambda: client.state("a.b", "t") is FlagState.KILL, 0.15, "a slow listener delays nothing")
    until(lambda: len(heard) == 2)
    assert heard[-1] == ("e5", 2, frozenset({"a.b"}))
    server.override("a.b", "t", "on")
    until(lambda: len(heard) == 3)
    assert heard[-1].flags == {"a.b"}
    remove()
    server.change("a.b", "off")
    until(lambda: client.status.counters.listener_errors == 4)
    assert len(heard) == 3


def test_closing_says_goodbye_and_keeps_answering(server, make_client):
    client = make_client()
    assert client.wait_ready(10)
    client.close()
    assert server.reports[-1]["leaving"] is True
    assert client.state("a.b", "t") is FlagState.ON
    client.close()
    client.start()
    assert len([report for report in server.reports if report["leaving"]]) == 1


def test_closing_is_bounded_when_the_server_hangs(server, make_client):
    with make_client() as client:
        assert client.wait_ready(10)
        gate = threading.Event()
        server._loop.call_soon_threadsafe(gate.wait, 8)
        closer = threading.Thread(target=client.close)
        closer.start()
        closer.join(2.5)
        stuck = closer.is_alive()
        gate.set()
        closer.join()
    assert not stuck


def test_max_age_forbids_data_that_was_not_confirmed_for_longer():
    now = 1000.0
    client = offline(max_age=60)
    client._held = Held(60, clock=lambda: now)
    from flagconsole.domain.payload import parse_snapshot

    text = '{"schema":1,"epoch":"e","revision":3,"flags":[{"flag_name":"a.b","current_state":"on"}],"overrides":[]}'
    client._held.offer(parse_snapshot(text), whole=True)
    client._held.confirm()
    assert client.is_enabled("a.b", "t")
    now += 60
    assert client.is_enabled("a.b", "t")
    now += 0.1
    assert client.evaluate("a.b", "t") == Evaluation("a.b", FlagState.OFF, Reason.STALE, 3)
    client._held.confirm()
    assert client.is_enabled("a.b", "t")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["on", "canary"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(value=json_values)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_json_as_an_argument_is_off(value):
    client = offline()
    assert client.state(value, value) is FlagState.OFF
