"""Rollouts on the stream: every write of one and every look of the judge reach who asks, whichever server made them."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager

import httpx
import pytest

from flagconsole.client.stream import RolloutFrame, Snapshot, Stream, VerdictFrame
from flagconsole.domain.role import Role
from flagconsole.domain.rollout import StoredVerdict
from flagconsole.server.hub import Hub, Subscription, Topic
from flagconsole.server.rollout_teller import RolloutTeller
from flagconsole.server.teller import Teller

from ..live_server import LiveServer

START = {"start_reason": "try it", "plan_name": "demo"}


def told(api, wanted):
    """The JSON of the events of these kinds."""
    headers = {"Authorization": f"Bearer {api.keys[Role.VIEWER]}"}
    with httpx.stream("GET", f"{api.url}/api/stream?include=rollouts", headers=headers, timeout=20) as response:
        assert response.status_code == 200
        kind = ""
        for line in response.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
                if kind == "snapshot":
                    yield "connected", {}
            elif name == "data" and kind in wanted:
                yield kind, json.loads(value)


@contextmanager
def following(api, *wanted):
    events = told(api, wanted)
    assert next(events)[0] == "connected"
    yield events
    events.close()


def until(events, holds):
    for _, data in events:
        if holds(data):
            return data
    raise AssertionError("the stream ended")


@pytest.fixture(autouse=True)
def an_eager_controller(monkeypatch):
    monkeypatch.setattr("flagconsole.rollout.controller.WAKE_SECONDS", 0.2)


@pytest.fixture
def two_servers(tmp_path):
    url = f"sqlite:{tmp_path / 'shared.db'}"
    with LiveServer(url) as one, LiveServer(url) as other:
        one.request("POST", "/api/flags", json={"flag_name": "a.b"})
        yield one, other


def test_what_happens_to_a_rollout_is_told_by_every_server_on_the_store(two_servers):
    one, other = two_servers
    with following(other, "rollout") as events:
        assert one.request("POST", "/api/flags/a.b/rollout", json=START).status_code == 201
        _, began = next(events)
        assert (began["flag_name"], began["status"], began["phase"]) == ("a.b", "running", "shadow")
        listed = one.request("GET", "/api/rollouts").json()["rollouts"][0]
        assert began.keys() == listed.keys()
        assert began["plan"] == listed["plan"]
        one.request("POST", "/api/flags/a.b/rollout/hold", json={"hold_reason": "lunch"})
        held = until(events, lambda rollout: rollout["progression_paused"])
        assert held["pause_reason"] == "lunch"
        one.request("POST", "/api/flags/a.b/rollout/resume", json={"resume_reason": "back"})
        until(events, lambda rollout: not rollout["progression_paused"])
        one.request("POST", "/api/flags/a.b/kill", json={"kill_reason": "errors"})
        ended = until(events, lambda rollout: rollout["ended_at"])
        assert ended["status"] == "killed"


def test_each_look_of_the_judge_is_told_before_the_rollout_that_it_made(two_servers):
    one, other = two_servers
    with following(other, "rollout", "verdict") as events:
        one.request("POST", "/api/flags/a.b/rollout", json=START)
        look = next(data for kind, data in events if kind == "verdict")
        assert look["verdict"]["kind"] == "no_data"
        following_it = next(data for kind, data in events if kind == "rollout")
        assert following_it["verdict"] == look["verdict"]
        [stored] = one.request("GET", "/api/flags/a.b/verdicts").json()["verdicts"][-1:]
        assert look == stored


def test_the_client_hands_both_on(live_server):
    live_server.request("POST", "/api/flags", json={"flag_name": "a.b"})

    async def follow():
        seen = {}
        stream = Stream(live_server.url, live_server.keys[Role.VIEWER], include=("rollouts",))
        async with asyncio.timeout(20):
            async for event in stream.events():
                if isinstance(event, Snapshot):
                    await asyncio.to_thread(live_server.request, "POST", "/api/flags/a.b/rollout", json=START)
                if isinstance(event, RolloutFrame | VerdictFrame):
                    seen[type(event)] = json.loads(event.text)
                if len(seen) == 2:
                    return seen
        raise AssertionError("the stream ended")

    seen = asyncio.run(follow())
    assert seen[RolloutFrame]["flag_name"] == "a.b"
    assert seen[VerdictFrame]["verdict"]["flag_name"] == "a.b"


async def queued(subscription):
    return (await subscription.next_batch())[0].decode().splitlines() if subscription.is_waited_for() else []


async def test_nothing_is_told_twice_and_nothing_of_the_past(operations, flag):
    from flagconsole.operations.plan_file import shipped_plan
    from flagconsole.operations.rollout_service import RolloutOperations

    from ..conftest import ADMIN

    service, hub = RolloutOperations(operations.store), Hub()
    await service.start(ADMIN, flag, shipped_plan("demo").plan, "before the server came")
    asked = Subscription(topics=frozenset({Topic.ROLLOUTS}), key_id=None, instance_id=None)
    did_not = Subscription(topics=frozenset({Topic.INCIDENTS}), key_id=None, instance_id=None)
    hub.join(asked), hub.join(did_not)
    teller = RolloutTeller(operations.store, hub)
    await teller.tell()
    assert await queued(asked) == []
    await service.hold(ADMIN, flag, "wait")
    await service.hold(ADMIN, flag, "wait longer")
    await teller.tell()
    await teller.tell()
    lines = await queued(asked)
    assert lines[::3] == ["event: rollout"]
    assert '"wait longer"' in lines[1]
    async with operations.store.write() as tx:
        [rollout] = await tx.active_rollouts()
        look = {"rollout_id": rollout.rollout_id, "flag_name": flag, "phase": rollout.phase, "kind": "no_data"}
        await tx.add_verdict(StoredVerdict(**look, at=await tx.now()))
    await teller.tell()
    await teller.tell()
    assert (await queued(asked))[::3] == ["event: verdict"]
    assert await queued(did_not) == []


async def test_a_row_that_cannot_be_read_does_not_silence_the_stream(operations, monkeypatch, caplog):
    monkeypatch.setattr("flagconsole.server.teller.TELL_INTERVAL", 0.001)
    recovered = asyncio.Event()

    class Stumbling(Teller):
        what = "stones"
        tries = 0

        async def tell(self):
            self.tries += 1
            if self.tries <= 3:
                raise ValueError("a\x1b[31m stone")
            recovered.set()

    teller = Stumbling(operations.store, Hub())
    teller.start()
    async with asyncio.timeout(10):
        await recovered.wait()
    await teller.stop()
    [record] = caplog.records
    assert record.getMessage().startswith("stones can't be followed: a")
    assert "\x1b" not in record.getMessage()
