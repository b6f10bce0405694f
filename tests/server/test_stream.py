"""The stream: every change once and in order, from where the client is, to everyone; and a stop that is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import NamedTuple

import httpx
import pytest

from flagconsole.domain.role import Role
from flagconsole.server import follower
from flagconsole.server.hub import QUEUE_LIMIT, Hub, Subscription


class Frame(NamedTuple):
    event: str
    id: str | None
    data: dict


class Reader:
    """Reads frames of one open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def next(self, *, skip: tuple[str, ...] = ("heartbeat",)) -> Frame:
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields.get("event") in skip:
                fields = {}
            elif fields:
                return Frame(fields["event"], fields.get("id"), json.loads(fields["data"]))
        raise EOFError


@contextmanager
def streaming(api, *, role=Role.SDK, path="/api/stream", **headers):
    headers["Authorization"] = f"Bearer {api.keys[role]}"
    with httpx.stream("GET", api.url + path, headers=headers, timeout=10) as response:
        assert response.status_code == 200, response.read()
        yield Reader(response)


@pytest.fixture
def api(live_server):
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b"})
    return live_server


def canary(api, percentage):
    body = {"change_reason": "x", "current_state": "canary", "canary_percentage": percentage}
    assert api.request("PUT", "/api/flags/a.b", json=body).status_code == 200


def test_it_begins_with_where_the_store_is_and_a_snapshot(api):
    with streaming(api) as stream:
        heartbeat = stream.next(skip=())
        snapshot = stream.next()
    assert (heartbeat.event, heartbeat.data["revision"]) == ("heartbeat", 1)
    assert abs(heartbeat.data["now"] - time.time()) < 5
    assert snapshot.id == f"{heartbeat.data['epoch']}:1"
    assert snapshot.data == api.request("GET", "/api/snapshot").json()


def test_every_change_arrives_once_and_in_order(api):
    with streaming(api) as one, streaming(api) as two:
        one.next(), two.next()
        for percentage in range(1, 11):
            canary(api, percentage)
        for stream in (one, two):
            frames = [stream.next() for _ in range(10)]
            assert [frame.data["revision"] for frame in frames] == list(range(2, 12))
            assert [frame.data["flag"]["canary_percentage"] for frame in frames] == list(range(1, 11))
            assert all(frame.event == "change" for frame in frames)


def test_a_client_goes_on_from_where_it_is(api):
    with streaming(api) as stream:
        last = stream.next().id
    for percentage in (1, 2, 3):
        canary(api, percentage)
    with streaming(api, **{"Last-Event-ID": last}) as stream:
        assert [stream.next().data["revision"] for _ in range(3)] == [2, 3, 4]
        canary(api, 4)
        assert stream.next().data["revision"] == 5


def test_another_epoch_gets_a_snapshot_and_one_ahead_is_refused(api):
    with streaming(api, **{"Last-Event-ID": "000000000000-older:9"}) as stream:
        snapshot = stream.next()
        assert snapshot.event == "snapshot"
    epoch = snapshot.data["epoch"]
    for position in (f"{epoch}:2", "ffffffffffff-later:1"):
        headers = {"Last-Event-ID": position}
        refused = api.request("GET", "/api/stream", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (503, "replica_behind")
    assert api.request("GET", "/api/stream", headers={"Last-Event-ID": "nonsense"}).status_code == 422


def test_a_server_that_was_restarted_replays_nothing_twice(tmp_path):
    from ..live_server import LiveServer

    url = f"sqlite:{tmp_path / 'again.db'}"
    with LiveServer(url) as first:
        first.request("POST", "/api/flags", json={"flag_name": "a.b"})
        with streaming(first) as stream:
            last = stream.next().id
    with LiveServer(url) as second, streaming(second, **{"Last-Event-ID": last}) as stream:
        canary(second, 7)
        assert stream.next().data["revision"] == 2


def test_receipts_are_told_to_those_who_ask(api):
    with streaming(api, role=Role.VIEWER, path="/api/stream?include=receipts") as asked, streaming(api) as did_not:
        asked.next(), did_not.next()
        body = {"service": "s", "sdk_version": "1", "epoch": "e", "receipts": []}
        api.request("POST", "/api/instances/i1/receipt", json=body, role=Role.SDK)
        receipt = asked.next()
        assert (receipt.event, receipt.data["instance_id"]) == ("receipt", "i1")
        canary(api, 1)
        assert did_not.next().event == "change"


def test_an_sdk_that_connects_is_waited_for_before_its_first_receipt(api):
    who = {"X-Flagconsole-Instance": "i9", "X-Flagconsole-Service": "billing", "X-Flagconsole-SDK": "1"}
    with streaming(api, **who) as stream:
        stream.next()
        found = api.request("GET", "/api/instances").json()
    assert (found["expected"], found["confirmed"]) == (1, 0)


def test_a_change_by_another_process_on_the_same_file_arrives_within_200_ms(api, tmp_path):
    code = (
        "import asyncio, sys, time\n"
        "from flagconsole.domain.requests import Kill\n"
        "from flagconsole.operations.service import SYSTEM, Operations\n"
        "from flagconsole.store import open_store\n"
        "async def main():\n"
        "    store = await open_store(sys.argv[1])\n"
        "    await Operations(store).kill(SYSTEM, 'a.b', Kill(kill_reason='elsewhere'))\n"
        "    print(time.time(), flush=True)\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
    )
    with streaming(api) as stream:
        stream.next()
        other = subprocess.run(
            [sys.executable, "-c", code, f"sqlite:{tmp_path / 'live.db'}"], capture_output=True, text=True, check=True
        )
        frame = stream.next()
    assert frame.data["change"]["change_reason"] == "elsewhere"
    assert float(other.stdout) > 0


def test_revoking_a_key_ends_its_streams(api):
    made = api.request("POST", "/api/keys", json={"name": "temp", "role": "sdk"}).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    with httpx.stream("GET", api.url + "/api/stream", headers=headers, timeout=10) as response:
        stream = Reader(response)
        stream.next()
        api.request("DELETE", f"/api/keys/{made['api_key']['key_id']}")
        assert stream.next().data["reason"] == "key revoked"
        with pytest.raises(EOFError):
            stream.next()


def test_stopping_says_goodbye_and_ends_streams(live_server):
    with streaming(live_server) as stream:
        stream.next()
        live_server._server.handle_exit(signal.SIGTERM, None)
        goodbye = stream.next()
        assert (goodbye.event, goodbye.data["reason"]) == ("goodbye", "shutdown")
        with pytest.raises(EOFError):
            stream.next()


def test_sigterm_ends_the_process_though_streams_are_open(tmp_path):
    code = "from flagconsole.server.run import serve; import sys; serve(sys.argv[1], port=0)"
    url = f"sqlite:{tmp_path / 'p.db'}"
    process = subprocess.Popen([sys.executable, "-c", code, url], stderr=subprocess.PIPE, text=True)
    try:
        address = process.stderr.readline().removeprefix("listening on ").strip()
        key_file = tmp_path / "p.db.admin-key"
        assert os.stat(key_file).st_mode & 0o777 == 0o600
        headers = {"Authorization": f"Bearer {key_file.read_text().strip()}"}
        with httpx.stream("GET", f"{address}/api/stream", headers=headers, timeout=10) as response:
            Reader(response).next()
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.stderr.close()


def test_a_server_ends_with_the_standard_input_of_its_parent(tmp_path):
    code = "from flagconsole.server.run import serve; import sys; serve(sys.argv[1], port=0, end_with_stdin=True)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, f"sqlite:{tmp_path / 'p.db'}"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = process.stderr.readline() + process.stderr.readline()
    assert "listening on" in said
    process.stdin.close()
    assert process.wait(timeout=20) == 0
    process.stderr.close()


async def test_a_client_that_does_not_read_is_closed_and_nothing_is_skipped():
    import asyncio

    hub = Hub()
    joined = asyncio.Event()

    async def lazy():
        subscription = Subscription(topics=frozenset(), key_id=None, instance_id=None)
        hub.join(subscription)
        joined.set()
        try:
            await asyncio.Event().wait()
        finally:
            assert subscription.too_slow
            hub.leave(subscription)

    task = asyncio.create_task(lazy())
    await joined.wait()
    for _ in range(QUEUE_LIMIT + 1):
        hub.publish(b"x")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(hub) == 0


def test_heartbeats_are_at_most_15_seconds_apart():
    assert follower.HEARTBEAT_SECONDS <= 15
