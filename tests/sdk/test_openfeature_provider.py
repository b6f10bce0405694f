"""OpenFeature's client on our provider: answers, errors, events, tracking, with a real store and with a server that goes away."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from openfeature import _event_support, api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode, GeneralError, ProviderFatalError
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus
from openfeature.track import TrackingEventDetails

from flagconsole.domain.role import Role
from flagconsole.sdk import FlagClient
from flagconsole.sdk.openfeature_provider import NAME, FlagconsoleProvider

from ..fake_server import FakeServer, problem, until


class Told(list):
    """Our provider's events, in order. OpenFeature's own stand-in is ready at once, and says so too."""

    def __init__(self):
        for event in ProviderEvent:
            api.add_handler(event, lambda details, event=event: self._take(event, details))

    def _take(self, event, details):
        if details.provider_name == NAME:
            self.append((event, details))

    def names(self):
        return [event.name.removeprefix("PROVIDER_") for event, _ in self]


@pytest.fixture
def told():
    """What is told from now on. OpenFeature, which is the same for the whole process, is left as it was found."""
    api.clear_providers()
    yield Told()
    api.clear_providers()
    _event_support.clear()


@pytest.fixture
def provide(make_client, told):
    """Makes a client, and a provider on it; the provider's arguments, then the client's."""

    def make(*, wait=True, deadline=10.0, grace_seconds=5.0, domain=None, flag_set=None, **options):
        client = make_client(start=False, **options)
        provider = FlagconsoleProvider(
            client, deadline=deadline, grace_seconds=grace_seconds, domain=domain, flag_set=flag_set
        )
        (api.set_provider_and_wait if wait else api.set_provider)(provider)
        return api.get_client()

    return make


def tenant(name):
    return EvaluationContext(targeting_key=name)


@pytest.mark.parametrize(
    ("state", "value", "reason", "variant"),
    [
        ("off", False, "DISABLED", "off"),
        ("shadow", False, "STATIC", "shadow"),
        ("on", True, "STATIC", "on"),
        ("kill", False, "DISABLED", "kill"),
    ],
)
def test_a_state_is_the_same_answer_with_a_tenant_and_without(server, provide, state, value, reason, variant):
    server.put("a.b", state, version=7)
    client = provide()
    for context in (None, tenant("t")):
        details = client.get_boolean_details("a.b", not value, context)
        assert (details.value, details.reason, details.variant) == (value, reason, variant)
        assert details.error_code is None
        assert details.flag_metadata["version"] == "7"
        assert (details.flag_metadata["state"], details.flag_metadata["revision"]) == (variant, 1)
        assert details.flag_metadata["flagSetId"] == "e5"


def test_an_answer_given_again_is_whole_its_taker_s_own_and_only_as_long_as_it_is_true(server, provide):
    client = provide()
    first = client.get_boolean_details("a.b", False, tenant("t"))
    told = dict(first.flag_metadata)
    first.flag_metadata["state"] = "spoilt"
    again = client.get_boolean_details("a.b", False, tenant("t"))
    assert (again.value, again.reason, again.variant, dict(again.flag_metadata)) == (True, "STATIC", "on", told)
    server.change("a.b", "kill")
    until(lambda: not client.get_boolean_value("a.b", True, tenant("t")))
    killed = client.get_boolean_details("a.b", True, tenant("t"))
    assert (killed.value, killed.variant, killed.flag_metadata["revision"]) == (False, "kill", told["revision"] + 1)


def test_cohorts_overrides_and_dependencies_say_what_they_are(server, provide):
    server.put("a.canary", "canary", canary_tenant_ids=["t-in"])
    server.put("a.above", "on", dependencies=["a.canary"])
    server.overrides["a.b", "t-off"] = {
        "flag_name": "a.b", "tenant_id": "t-off", "override_state": "off", "expires_at": None,
    }  # fmt: skip
    client = provide(flag_set="production")
    asked = {
        (key, who): client.get_boolean_details(key, None, tenant(who))
        for key, who in (
            ("a.canary", "t-in"),
            ("a.canary", "t"),
            ("a.b", "t-off"),
            ("a.above", "t"),
            ("a.above", "t-in"),
        )
    }
    assert {key: (details.value, details.reason) for key, details in asked.items()} == {
        ("a.canary", "t-in"): (True, "SPLIT"),
        ("a.canary", "t"): (False, "SPLIT"),
        ("a.b", "t-off"): (False, "TARGETING_MATCH"),
        ("a.above", "t"): (False, "DISABLED"),
        ("a.above", "t-in"): (True, "STATIC"),
    }
    assert asked["a.above", "t"].flag_metadata["dependency"] == "a.canary"
    assert asked["a.above", "t"].flag_metadata["flagSetId"] == "production"


@pytest.mark.parametrize("default", [True, False])
def test_what_depends_on_the_tenant_needs_one(server, provide, default):
    server.put("a.canary", "canary", canary_percentage=50)
    for context in (None, EvaluationContext(), tenant("")):
        details = provide().get_boolean_details("a.canary", default, context)
        assert (details.value, details.reason) == (default, Reason.ERROR)
        assert details.error_code is ErrorCode.TARGETING_KEY_MISSING


#: What OpenFeature's own scenarios ask for, as far as flags are boolean: key, type, default, value, reason, variant, error.
SCENARIOS = [
    ("boolean-flag", "boolean", False, True, "STATIC", "on", None),
    ("boolean-zero-flag", "boolean", True, False, "STATIC", "shadow", None),
    ("boolean-disabled-flag", "boolean", False, False, "DISABLED", "off", None),
    ("non-existent-flag", "boolean", False, False, "ERROR", None, ErrorCode.FLAG_NOT_FOUND),
    ("non-existent-flag", "string", "bye", "bye", "ERROR", None, ErrorCode.FLAG_NOT_FOUND),
    ("non-existent-flag", "integer", 1, 1, "ERROR", None, ErrorCode.FLAG_NOT_FOUND),
    ("non-existent-flag", "float", 0.1, 0.1, "ERROR", None, ErrorCode.FLAG_NOT_FOUND),
    ("non-existent-flag", "object", {"a": 1}, {"a": 1}, "ERROR", None, ErrorCode.FLAG_NOT_FOUND),
    ("boolean-flag", "string", "bye", "bye", "ERROR", None, ErrorCode.TYPE_MISMATCH),
    ("boolean-flag", "integer", 1, 1, "ERROR", None, ErrorCode.TYPE_MISMATCH),
    ("boolean-flag", "float", 0.1, 0.1, "ERROR", None, ErrorCode.TYPE_MISMATCH),
    ("boolean-flag", "object", {}, {}, "ERROR", None, ErrorCode.TYPE_MISMATCH),
]


@pytest.mark.parametrize(("key", "kind", "default", "value", "reason", "variant", "error"), SCENARIOS)
async def test_openfeatures_scenarios(server, provide, key, kind, default, value, reason, variant, error):
    for name, state in (("boolean-flag", "on"), ("boolean-zero-flag", "shadow"), ("boolean-disabled-flag", "off")):
        server.put(f"openfeature.{name}", state)
    client = provide(domain="openfeature")
    later = await getattr(client, f"get_{kind}_details_async")(key, default)
    for details in (getattr(client, f"get_{kind}_details")(key, default), later):
        assert (details.flag_key, details.value, details.reason) == (key, value, reason)
        assert (details.variant, details.error_code) == (variant, error)
    if error is ErrorCode.FLAG_NOT_FOUND:
        assert f"flag {key} not found" in details.error_message


def test_a_key_with_a_dot_is_a_flag_whatever_the_domain(server, provide):
    assert provide(domain="openfeature").get_boolean_value("a.b", False) is True


def test_a_kill_is_no_default_and_is_told_as_a_change(server, provide, told):
    client = provide()
    assert client.get_boolean_value("a.b", True, tenant("t")) is True
    server.change("a.b", "kill")
    until(lambda: "CONFIGURATION_CHANGED" in told.names())
    details = client.get_boolean_details("a.b", True, tenant("t"))
    assert (details.value, details.reason, details.variant) == (False, "DISABLED", "kill")
    (changed,) = [details for event, details in told if event is ProviderEvent.PROVIDER_CONFIGURATION_CHANGED]
    assert changed.flags_changed == ["a.b"]


def test_initialising_waits_for_rules_and_until_then_nothing_is_answered(server, provide, told):
    held_back = []
    server.greet = held_back.append
    server.answers["GET", "/api/snapshot"] = lambda _: problem(503, "store_unavailable")
    client = provide(wait=False)
    until(lambda: held_back)
    details = client.get_boolean_details("a.b", False, tenant("t"))
    assert (details.value, details.error_code) == (False, ErrorCode.PROVIDER_NOT_READY)
    assert client.get_provider_status() is ProviderStatus.NOT_READY
    server.welcome(held_back[0])
    until(lambda: client.get_provider_status() is ProviderStatus.READY)
    assert client.get_boolean_value("a.b", False, tenant("t")) is True
    until(lambda: told.names() == ["READY"])


def test_without_a_server_it_is_in_error_after_the_deadline_and_ready_once_there_is_one(server, provide, told):
    server.stop()
    begun = time.monotonic()
    with pytest.raises(GeneralError):
        provide(deadline=0.3)
    assert 0.3 <= time.monotonic() - begun < 5
    client = api.get_client()
    assert client.get_provider_status() is ProviderStatus.ERROR
    details = client.get_boolean_details("a.b", False, tenant("t"))
    assert (details.value, details.error_code) == (False, ErrorCode.PROVIDER_NOT_READY)
    with running(FakeServer(port=server.port)):
        until(lambda: client.get_provider_status() is ProviderStatus.READY)
        assert client.get_boolean_value("a.b", False, tenant("t")) is True
        until(lambda: told.names()[:1] == ["ERROR"] and "READY" in told.names())


def test_a_key_that_is_refused_is_fatal_where_there_is_nothing_to_answer_from(server, provide):
    for path in ("/api/stream", "/api/snapshot"):
        server.answers["GET", path] = lambda _: problem(401, "unauthenticated")
    with pytest.raises(ProviderFatalError):
        provide(deadline=1.0)
    client = api.get_client()
    assert client.get_provider_status() is ProviderStatus.FATAL
    assert client.get_boolean_details("a.b", False).error_code is ErrorCode.PROVIDER_FATAL


class running:  # reads as a word
    def __init__(self, server):
        self.server = server

    def __enter__(self):
        return self.server.start()

    def __exit__(self, *_):
        self.server.stop()


def test_without_contact_it_is_stale_then_in_error_and_goes_on_answering(server, provide, told):
    client = provide(grace_seconds=0.5)
    server.stop()
    until(lambda: told.names() == ["READY", "STALE"])
    assert client.get_provider_status() is ProviderStatus.STALE
    details = client.get_boolean_details("a.b", False, tenant("t"))
    assert (details.value, details.reason, details.error_code) == (True, "STALE", None)
    until(lambda: told.names() == ["READY", "STALE", "ERROR"])
    assert told[-1][1].error_code is ErrorCode.GENERAL
    details = client.get_boolean_details("a.b", False, tenant("t"))
    assert (details.value, details.reason) == (True, "STALE")
    again = FakeServer(port=server.port, revision=server.revision)
    with running(again):
        again.change("a.b", "kill")
        until(lambda: client.get_provider_status() is ProviderStatus.READY)
        until(lambda: client.get_boolean_details("a.b", True, tenant("t")).reason == "DISABLED")
        until(lambda: {"READY", "CONFIGURATION_CHANGED"} <= set(told.names()[3:]))


def test_no_grace_is_an_error_at_once(server, provide, told):
    provide(grace_seconds=0)
    server.stop()
    until(lambda: told.names() == ["READY", "ERROR"])


def test_shutting_down_closes_the_client_and_tells_nothing_more(server, provide, told):
    provide()
    until(lambda: told.names() == ["READY"])
    api.shutdown()
    until(lambda: any(report["leaving"] for report in server.reports))
    until(lambda: not [thread for thread in threading.enumerate() if thread.name == "flagconsole-openfeature"])
    assert told.names() == ["READY"]


def test_a_forked_child_watches_anew(server, make_client, told):
    provider = FlagconsoleProvider(make_client(start=False), grace_seconds=0)
    api.set_provider_and_wait(provider)
    provider._stopping.set()  # as a fork does: the thread is gone
    provider._watcher.join(10)
    provider._stopping.clear()
    provider.after_fork_in_child()
    server.stop()
    until(lambda: told.names() == ["READY", "ERROR"])


def test_many_threads_ask_at_once(server, provide):
    client = provide()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.get_boolean_value("a.b", False, tenant(f"t-{n}")), range(400)))
    assert answers == [True] * 400


def test_what_is_tracked_is_counted_beside_operations(live_server, told):
    for name, state in (("a.canary", "canary"), ("a.on", "on")):
        assert live_server.request("POST", "/api/flags", json={"flag_name": name}).status_code == 201
        body = {"change_reason": "x", "current_state": state, "canary_percentage": 100}
        assert live_server.request("PUT", f"/api/flags/{name}", json=body).status_code == 200
    client = FlagClient(live_server.url, live_server.keys[Role.SDK], cache_dir=False, bucket_seconds=1, start=False)
    api.set_provider_and_wait(FlagconsoleProvider(client, deadline=10))
    asker = api.get_client()
    asker.track("conversion", tenant("t"))  # about what is on its way
    asker.track("conversion", tenant("t"), TrackingEventDetails(attributes={"flag": "a.on"}))
    asker.track("Basket-Value", tenant("t"), TrackingEventDetails(12.5))
    asker.track("basket emptied", tenant("t"))
    asker.track("conversion")  # of nobody

    def measured(flag, group):
        answer = live_server.request("GET", f"/api/flags/{flag}/metrics").json()
        return answer["groups"].get(group, {}).get("totals")

    api.shutdown()  # sends what is left
    totals = until(lambda: measured("a.canary", "canary"))
    assert (totals["conversions"], totals["operations"], totals["success_rate"]) == (1, 0, None)
    assert totals["custom"]["basket_value"] == {"kind": "gauge", "value": 12.5, "count": 1}
    assert totals["custom"]["basket_emptied"]["value"] == 1
    assert until(lambda: measured("a.on", "on"))["conversions"] == 1
