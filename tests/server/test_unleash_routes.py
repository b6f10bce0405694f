"""Unleash's client API: whole payloads, streams of changes, and what is known of the clients."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from flagconsole.domain.role import Role

from ..fake_server import until
from ..live_server import LiveServer
from ..unleash_reference import Reference

FEATURES, STREAMING = "/api/client/features", "/api/client/streaming"
WHO = {"UNLEASH-APPNAME": "billing", "UNLEASH-INSTANCEID": "host-1", "unleash-connection-id": "0123456789abcdef"}
NAME = "unleash:host-1:01234567"


def furnished(live_server):
    for name in ("a.off", "a.on", "a.killed", "a.above"):
        dependencies = ["a.on"] if name == "a.above" else []
        change(live_server, "POST", "/api/flags", {"flag_name": name, "dependencies": dependencies})
    put(live_server, "a.on", "on")
    put(live_server, "a.above", "on")
    change(live_server, "POST", "/api/flags/a.killed/kill", {"kill_reason": "x"})
    return live_server


@pytest.fixture
def api(live_server):
    return furnished(live_server)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """For tests that leave flags alone."""
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('unleash') / 'flags.db'}") as server:
        yield furnished(server)


def change(api, method, path, body=None, **options):
    answer = api.request(method, path, json=body, **options)
    assert answer.status_code < 300, answer.text
    return answer.json()


def put(api, name, state, **more):
    change(api, "PUT", f"/api/flags/{name}", {"change_reason": "x", "current_state": state, **more})


def ask(api, path=FEATURES, **headers):
    headers = {"Authorization": api.keys[Role.SDK], **WHO, **headers}
    return api.request("GET", path, role=None, headers=headers)


def post(api, path, body):
    headers = {"Authorization": api.keys[Role.SDK], **WHO}
    return api.request("POST", path, role=None, headers=headers, json=body)


def instance(api):
    found = [item for item in api.request("GET", "/api/instances").json()["instances"] if item["instance_id"] == NAME]
    return found[0] if found else None


class Stream:
    """A client that follows the stream as events are asked of it."""

    def __init__(self, response):
        self.client, self.response = Reference(), response
        self._lines = response.iter_lines()

    def next(self):
        """Take the next event; its name, id and size."""
        fields, deadline = {}, time.monotonic() + 12
        for line in self._lines:
            if line.startswith(":"):  # these keep coming, whatever else does
                assert time.monotonic() < deadline, "no event came"
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                self.client.take(fields["data"])
                return fields["event"], fields["id"], len(fields["data"])
        return None


@contextmanager
def streaming(api, **headers):
    headers = {"Authorization": api.keys[Role.SDK], **WHO, **headers}
    with httpx.stream("GET", api.url + STREAMING, headers=headers, timeout=10) as response:
        assert response.status_code == 200, response.read()
        yield Stream(response)


def whole(api):
    """What a client that polls has."""
    client = Reference()
    client.take(ask(api).text)
    return client.features


def test_every_flag_is_there_and_those_that_are_off_say_so(shared):
    answer = ask(shared)
    enabled = {name: feature["enabled"] for name, feature in whole(shared).items()}
    assert enabled == {"a.off": False, "a.on": True, "a.killed": False, "a.above": True}
    assert answer.json()["version"] == 2
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", [FEATURES, STREAMING])
def test_it_takes_the_key_as_these_clients_send_it_and_no_other(shared, path):
    for key in ("", "fc_sdk_wrong", "Bearer fc_sdk_wrong"):
        assert ask(shared, path, Authorization=key).status_code == 401
    assert ask(shared, Authorization=f"Bearer {shared.keys[Role.SDK]}").status_code == 200
    assert shared.request("GET", path, role=None).status_code == 401


def test_the_tag_is_the_position_and_is_never_answered_from_before_it(api):
    tag = ask(api).headers["etag"]
    again = ask(api, **{"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    put(api, "a.off", "on")
    assert ask(api, **{"If-None-Match": tag}).status_code == 200
    epoch, revision, mapping = tag.strip('"').split(":")
    ahead = f'"{epoch}:{int(revision) + 9}:{mapping}"'
    assert ask(api, **{"If-None-Match": ahead}).json()["code"] == "replica_behind"
    assert ask(api, **{"If-None-Match": f'"{epoch}:{revision}:0"'}).status_code == 200
    assert ask(api, **{"If-None-Match": '"something else"'}).status_code == 200


def test_a_stream_begins_with_all_and_goes_on_with_what_changed(api):
    with streaming(api) as stream:
        assert stream.response.headers["transfer-encoding"] == "chunked"
        assert stream.next()[0] == "unleash-connected"
        assert stream.client.features == whole(api)
        for number in range(20):
            change(api, "POST", "/api/flags", {"flag_name": f"many.flag{number}"})
            assert stream.next()[0] == "unleash-updated"
        for method, path, body in (
            ("POST", "/api/flags/a.on/kill", {"kill_reason": "x"}),
            ("PUT", "/api/flags/a.off/override", {"override_state": "on", "override_reason": "x", "tenant_id": "t"}),
            ("DELETE", "/api/flags/a.off/override?tenant_id=t&override_reason=x", None),
            ("POST", "/api/flags", {"flag_name": "b.top", "dependencies": ["a.above"]}),
            ("PUT", "/api/flags/a.above", {"change_reason": "x", "dependencies": []}),
            ("DELETE", "/api/flags/b.top?change_reason=x", None),
        ):
            change(api, method, path, body)
            event, position, size = stream.next()
            assert event == "unleash-updated"
            assert position.endswith(f":{api.request('GET', '/health').json()['revision']}")
            assert stream.client.features == whole(api), path
            assert size < 1500  # not everything anew


def test_who_depends_on_a_flag_with_dependencies_names_its_rules_alone(api):
    change(api, "POST", "/api/flags", {"flag_name": "b.top", "dependencies": ["a.above"]})
    features = whole(api)
    assert [parent["feature"] for parent in features["b.top"]["dependencies"]] == ["a.above~own", "a.on"]
    assert features["a.above~own"]["dependencies"] == []
    assert [parent["feature"] for parent in features["a.above"]["dependencies"]] == ["a.on"]


def test_a_client_that_comes_back_gets_all_anew_but_nothing_older(api):
    with streaming(api) as stream:
        _, position, _ = stream.next()
    with streaming(api, **{"Last-Event-ID": position}) as stream:
        assert stream.next()[0] == "unleash-connected"
    epoch, revision = position.split(":")
    assert ask(api, STREAMING, **{"Last-Event-ID": f"{epoch}:{int(revision) + 9}"}).status_code == 503


def test_a_stream_ends_with_its_key_and_with_the_server(api):
    made = change(api, "POST", "/api/keys", {"name": "theirs", "role": "sdk"})
    with streaming(api, Authorization=made["secret"]) as stream, ThreadPoolExecutor() as pool:
        stream.next()
        end = pool.submit(stream.next)
        change(api, "DELETE", f"/api/keys/{made['api_key']['key_id']}")
        assert end.result(timeout=10) is None
    with streaming(api) as stream:
        stream.next()
        api.stop()
        assert stream.next() is None


def test_a_poll_shows_what_the_client_holds_and_only_that_confirms_it(api):
    tag = ask(api).headers["etag"]
    first = instance(api)
    assert (first["service"], first["transport"], first["presence"]) == ("billing", "polling", "live")
    # It was sent the features; nothing shows that it took them.
    assert (first["revision"], first["received_at"]) == (0, None)
    ask(api, **{"If-None-Match": tag})
    held = instance(api)
    assert held["revision"] == int(tag.split(":")[1])
    assert held["received_at"] is not None
    killed = change(api, "POST", "/api/flags/a.on/kill", {"kill_reason": "x"})
    assert instance(api)["revision"] == killed["revision"] - 1
    tag = ask(api, **{"If-None-Match": tag}).headers["etag"]
    assert instance(api)["revision"] == killed["revision"] - 1
    ask(api, **{"If-None-Match": tag})
    confirmed = instance(api)
    assert (confirmed["revision"], confirmed["epoch"]) == (killed["revision"], killed["epoch"])
    assert confirmed["last_seen"] > first["last_seen"]


def counted(api, revision):
    listed = api.request("GET", "/api/instances", params={"revision": revision}).json()
    return {name: listed[name] for name in ("expected", "confirmed", "told")}


def test_a_stream_is_heard_from_while_it_is_open_and_told_but_confirms_nothing(api):
    with streaming(api) as stream:
        stream.next()
        until(lambda: instance(api) is not None and instance(api)["told_revision"] > 0)
        assert (instance(api)["transport"], instance(api)["revision"]) == ("stream", 0)
        assert post(api, "/api/client/metrics", {"appName": "billing", "bucket": None}).status_code == 202
        assert instance(api)["transport"] == "stream"
        killed = change(api, "POST", "/api/flags/a.on/kill", {"kill_reason": "x"})
        stream.next()
        until(lambda: counted(api, killed["revision"]) == {"expected": 1, "confirmed": 0, "told": 1})
        assert (instance(api)["revision"], instance(api)["received_at"]) == (0, None)
        # A change that is none for these clients has been told as soon as there is nothing left to tell.
        other = change(api, "PUT", "/api/flags/a.on", {"change_reason": "x", "owner": "billing"})
        until(lambda: counted(api, other["revision"])["told"] == 1)
    assert counted(api, change(api, "POST", "/api/flags/a.off/kill", {"kill_reason": "x"})["revision"])["told"] == 0


def test_what_a_stream_was_told_confirms_nothing_for_the_poll_that_follows(api):
    with streaming(api) as stream:
        stream.next()
        until(lambda: instance(api) is not None and instance(api)["told_revision"] > 0)
    ask(api)
    polling = instance(api)
    assert (polling["transport"], polling["told_revision"], polling["revision"]) == ("polling", None, 0)


def test_a_hostile_client_becomes_a_plain_name(api):
    ask(api, **{"UNLEASH-APPNAME": "a b", "UNLEASH-INSTANCEID": "../x y?#", "unleash-connection-id": "%0a%0a"})
    names = [item["instance_id"] for item in api.request("GET", "/api/instances").json()["instances"]]
    assert names == ["unleash:..-x-y--:-0a-0a"]


def report(yes, no, *, ended=0.0, flag="a.on", **more):
    stop = datetime.now(UTC) - timedelta(seconds=ended)
    bucket = {"start": (stop - timedelta(seconds=5)).isoformat(), "stop": stop.isoformat()}
    toggles = {flag: {"yes": yes, "no": no, "variants": {}}}
    return {"appName": "billing", "instanceId": "host-1", "bucket": {**bucket, "toggles": toggles}, "news": 1, **more}


def questions(api):
    groups = api.request("GET", "/api/flags/a.on/metrics").json()["groups"]
    return {name: group["totals"]["custom"] for name, group in groups.items() if group["totals"]["custom"]}


def test_what_clients_count_is_kept_once_beside_operations(api):
    body = report(3, 1)
    for _ in range(2):  # the second is the same report, sent again
        assert post(api, "/api/client/metrics", body).status_code == 202
    assert post(api, "/api/client/metrics", report(0, 4)).status_code == 202
    assert post(api, "/api/client/metrics", report(9, 9, ended=3600)).status_code == 202
    assert post(api, "/api/client/metrics", report(9, 9, flag="no.such")).status_code == 202
    assert questions(api) == {"other": {"evaluated_enabled": {"kind": "ratio", "value": 0.375, "count": 8}}}
    measured = api.request("GET", "/api/flags/a.on/metrics").json()
    assert (measured["operations"], measured["groups"]["other"]["totals"]["success_rate"]) == (0, None)


def test_registering_makes_an_instance_and_says_nothing_of_what_it_holds(shared):
    body = {"appName": "billing", "instanceId": "host-1", "connectionId": "0123456789abcdef", "strategies": ["default"]}
    body |= {"sdkVersion": "unleash-node-sdk:6.12.1", "started": "now", "interval": 60, "platformName": "node"}
    assert post(shared, "/api/client/register", body).status_code == 202
    seen = instance(shared)
    assert (seen["sdk_version"], seen["transport"], seen["revision"]) == ("unleash-node-sdk:6.12.1", "polling", 0)


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/client/register", {"instanceId": "x"}, "appName"),
        ("/api/client/metrics", {"appName": "x", "bucket": {"start": "then"}}, "bucket.start"),
        ("/api/client/metrics", report(-1, 0), "bucket.toggles.a.on.yes"),
    ],
)
def test_bad_reports_are_refused_by_field(shared, path, body, field):
    answer = post(shared, path, body)
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, field)
