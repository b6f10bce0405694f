"""Who subscribes is told of every change, in order, signed, at least once, and nobody who changes a flag waits for that."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from contextlib import asynccontextmanager

import httpx
import pytest

from flagconsole.domain.errors import InvalidInput, NotificationNotGivenUp, SubscriptionNotFound
from flagconsole.domain.playbook_run import DeliveryStatus
from flagconsole.domain.requests import FlagCreate, FlagUpdate, Kill, OverrideSet, TenantsPut
from flagconsole.domain.states import FlagState
from flagconsole.domain.tenant import TenantProfile
from flagconsole.rollout.message import MOST_ATTEMPTS
from flagconsole.rollout.notifier import KEPT, Notifier, send_trial
from flagconsole.rollout.outgoing import guarded_client
from flagconsole.rollout.response import Destination, Response, Subscription, read_response

from ..conftest import ADMIN

SECRET = "s3cret-of-the-hook"


class Held:
    async def check(self, tx):
        pass


class Receiver:
    """Takes messages; ``refused`` names the flags whose messages it doesn't take."""

    def __init__(self):
        self.refused = set()
        self.requests = []

    def __call__(self, request):
        told = json.loads(request.content)
        if told.get("flag") in self.refused:
            return httpx.Response(500, text="try again \x1b[2J")
        self.requests.append(request)
        return httpx.Response(200, text="ok")

    @property
    def told(self):
        return [json.loads(request.content) for request in self.requests]


def response(**subscriptions) -> Response:
    return Response(
        environment="production",
        destinations={
            "hook": Destination(url="https://hook.example/T0KEN", secret_env="HOOK_SECRET"),
            "chat": Destination(url="https://chat.example/T0KEN", kind="slack"),
        },
        subscriptions=subscriptions or {"team": Subscription(destination="hook")},
    )


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
async def connection(receiver):
    async with httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as opened:
        yield opened


@pytest.fixture
async def notifier(store, flag, connection):
    made = Notifier(store, response(), connection, fence=Held(), draw=lambda: 1.0)
    await made.tick()  # a new subscription is told of what happens from now on
    return made


def set_to(state, **fields) -> FlagUpdate:
    return FlagUpdate(change_reason="go", current_state=state, **fields)


async def test_a_change_is_told_with_what_was_and_is_by_whom_why_and_whom_it_reaches(
    operations, notifier, receiver, clock, flag
):
    tenants = [TenantProfile(tenant_id=f"t{number}", name="x") for number in range(20)]
    await operations.put_tenants(ADMIN, TenantsPut(tenants=tuple(tenants)))
    await operations.update(ADMIN, flag, set_to(FlagState.ON))
    assert await notifier.tick() == 1
    [told] = receiver.told
    assert (told["type"], told["flag"], told["before"], told["after"]) == ("flag.changed", flag, "off", "on")
    assert (told["changed_by"], told["reason"], told["revision"], told["version"]) == ("ada", "go", 2, 2)
    assert told["blast_radius"] == {"enabled": 20, "disabled": 0, "tenants": 20}
    assert told["text"] == "production: pos.lite: off → on by ada: go [20 of 20 tenants get it]"
    [request] = receiver.requests
    stamp, signed = request.headers["X-Flagconsole-Timestamp"], request.headers["X-Flagconsole-Signature"]
    expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + request.content, hashlib.sha256).hexdigest()
    assert signed == f"v1={expected}"
    assert request.headers["X-Flagconsole-Delivery"] == told["delivery_id"]
    assert await notifier.tick() == 0
    [kept] = (await operations.notifications(ADMIN)).notifications
    assert (kept.status, kept.delivered_at) == (DeliveryStatus.DELIVERED, clock())


async def test_only_the_flags_that_are_wanted_are_told_and_no_tenants_are_named(
    store, operations, connection, receiver, flag
):
    made = Notifier(store, response(team=Subscription(destination="hook", flags=("pos.*",))), connection, fence=Held())
    await made.tick()
    await operations.create(ADMIN, FlagCreate(flag_name="invoices.write"))
    await operations.update(ADMIN, flag, set_to(FlagState.CANARY, canary_tenant_ids=("acme", "bits")))
    override = OverrideSet(override_state=FlagState.ON, override_reason="asked", tenant_id="acme")
    await operations.set_override(ADMIN, flag, override)
    await made.tick()
    await made.tick()
    cohort, tenant = receiver.told
    assert (cohort["after"], cohort["new"]["canary_tenant"]) == ("canary of 2 tenants", 2)
    assert "acme" not in json.dumps(cohort)
    assert (tenant["tenant_id"], tenant["before"], tenant["after"]) == ("acme", "no override", "override on")


async def test_what_is_not_taken_is_tried_again_and_holds_up_its_own_flag_only(
    operations, notifier, receiver, clock, flag
):
    await operations.create(ADMIN, FlagCreate(flag_name="pos.full"))
    receiver.refused = {flag}
    await operations.update(ADMIN, flag, set_to(FlagState.ON))
    await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    await operations.update(ADMIN, "pos.full", set_to(FlagState.ON))
    for _ in range(3):
        await notifier.tick()
    assert [(told["flag"], told["revision"]) for told in receiver.told] == [("pos.full", 2), ("pos.full", 5)]
    waiting = (await operations.notifications(ADMIN)).notifications
    assert [(told.attempts, told.problem) for told in waiting if told.flag_name == flag] == [
        (0, ""),
        (1, "HTTP status 500"),
    ]
    receiver.refused = set()
    await notifier.tick()
    assert len(receiver.told) == 2  # not before its pause is over
    clock.forward(seconds=2)
    await notifier.tick()
    await notifier.tick()
    assert [told["after"] for told in receiver.told[2:]] == ["on", "kill"]


async def test_a_receiver_that_never_takes_it_is_given_up_and_may_be_tried_again(
    operations, notifier, receiver, clock, flag
):
    receiver.refused = {flag}
    await operations.update(ADMIN, flag, set_to(FlagState.ON))
    for _ in range(MOST_ATTEMPTS + 1):
        await notifier.tick()
        clock.forward(minutes=10)
    [dead] = (await operations.notifications(ADMIN)).notifications
    assert (dead.status, dead.attempts) == (DeliveryStatus.GIVEN_UP, MOST_ATTEMPTS)
    assert (await operations.notifications(ADMIN)).given_up == 1
    receiver.refused = set()
    await operations.retry_notification(ADMIN, dead.notification_id)
    assert await notifier.tick() == 1
    with pytest.raises(NotificationNotGivenUp):
        await operations.retry_notification(ADMIN, dead.notification_id)
    clock.forward(seconds=KEPT.total_seconds() + 1)
    await notifier.tick()
    assert (await operations.notifications(ADMIN)).notifications == ()


async def test_every_try_has_the_same_id_and_a_leader_that_dies_before_noting_it_sends_it_again(
    store, operations, notifier, connection, receiver, flag
):
    class Lost(Exception):
        pass

    class Dies:
        async def check(self, tx):
            if receiver.requests:
                raise Lost

    await operations.update(ADMIN, flag, set_to(FlagState.ON))
    with pytest.raises(Lost):
        await Notifier(store, response(), connection, fence=Dies()).tick()
    await Notifier(store, response(), connection, fence=Held()).tick()
    first, again = receiver.told
    assert first == again


async def test_a_change_that_was_made_while_no_server_ran_is_told_too(
    operations, store, notifier, connection, receiver, flag
):
    for state in (FlagState.SHADOW, FlagState.ON):
        await operations.update(ADMIN, flag, set_to(state))
    late = Notifier(store, response(), connection, fence=Held())
    await late.tick()
    await late.tick()
    assert [(told["after"], told["blast_radius"]) for told in receiver.told] == [
        ("shadow", None),  # the flag has moved on: nobody can tell any more
        ("on", {"enabled": 0, "disabled": 0, "tenants": 0}),
    ]


async def test_a_subscription_begins_at_the_newest_change_and_anew_when_it_was_gone(
    store, operations, notifier, connection, receiver, flag
):
    await operations.update(ADMIN, flag, set_to(FlagState.SHADOW))
    other = Notifier(store, response(other=Subscription(destination="chat")), connection, fence=Held())
    await other.tick()
    assert receiver.requests == []
    await operations.update(ADMIN, flag, set_to(FlagState.ON))
    await other.tick()
    [told] = receiver.told
    assert told["blocks"][0]["text"]["text"].startswith("production: pos.lite: shadow → on by ada: go")
    back = Notifier(store, response(), connection, fence=Held())
    await back.tick()
    assert len(receiver.requests) == 1


async def test_a_test_message_tells_what_was_answered(connection, clock, receiver):
    answer = await send_trial(connection, response(), "team", "ada", clock())
    assert (answer.delivered, answer.status, answer.answer) == (True, 200, "ok")
    assert receiver.told[0]["type"] == "test"
    with pytest.raises(SubscriptionNotFound, match="nobody"):
        await send_trial(connection, response(), "nobody", "ada", clock())


@asynccontextmanager
async def http_receiver(status: str):
    """A real server that reads one request and answers, as a receiver in one's own network would."""
    seen = []

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        seen.append(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], seen


@pytest.mark.parametrize(("status", "delivered"), [("200 OK", True), ("403 Forbidden", False)])
async def test_a_receiver_in_ones_own_network_is_reached_where_that_is_allowed(
    store, operations, flag, clock, caplog, status, delivered
):
    caplog.set_level(logging.DEBUG)
    async with http_receiver(status) as (port, seen):
        reached = Response(
            destinations={"own": Destination(url=f"http://127.0.0.1:{port}/T0KEN", secret_env="HOOK_SECRET")},
            subscriptions={"team": Subscription(destination="own")},
            private_hosts=("127.0.0.1",),
        )
        async with guarded_client(reached.private_hosts) as connection:
            made = Notifier(store, reached, connection, fence=Held())
            await made.tick()
            await operations.update(ADMIN, flag, set_to(FlagState.ON))
            assert await made.tick() == delivered
            answer = await send_trial(connection, reached, "team", "ada", clock())
        assert (answer.status, answer.answer) == (int(status[:3]), "hello")
        assert seen[0]["after"] == "on"
        async with guarded_client() as connection:
            refused = await send_trial(connection, reached, "team", "ada", clock())
        assert "allowed as private" in refused.problem
    listed = await operations.notifications(ADMIN, reached.subscription_views())
    everything = caplog.text + listed.model_dump_json() + refused.model_dump_json() + answer.model_dump_json()
    assert SECRET not in everything
    assert "T0KEN" not in everything


def test_the_configuration_says_what_is_wrong_with_it(tmp_path):
    path = tmp_path / "response.toml"
    path.write_text('[subscriptions.team]\ndestination = "nowhere"\n')
    with pytest.raises(InvalidInput, match="the subscription team names nowhere, which is no destination"):
        read_response(path)
    path.write_text('[destinations.d]\nurl = "https://x.example"\n[subscriptions."Bad name"]\ndestination = "d"\n')
    with pytest.raises(InvalidInput, match="needs a name of"):
        read_response(path)
    path.write_text(
        '[destinations.d]\nurl = "https://x.example"\n[subscriptions.team]\ndestination = "d"\ntopics = ["x"]'
    )
    with pytest.raises(InvalidInput, match="topics"):
        read_response(path)
