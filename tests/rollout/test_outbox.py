"""Notices are delivered at least once, signed, tried again, and never taken for delivered when they were not."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import timedelta

import httpx
import pytest

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Setting
from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook_run import Delivery, DeliveryStatus
from flagconsole.domain.states import FlagState
from flagconsole.rollout.outbox import MOST_ATTEMPTS, Outbox
from flagconsole.rollout.response import Destination, Response, read_response


class Held:
    async def check(self, tx):
        pass


class Receiver:
    def __init__(self):
        self.status = 200
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        if self.status == 0:
            raise httpx.ReadTimeout("no answer", request=request)
        return httpx.Response(self.status)


@pytest.fixture
def receiver():
    return Receiver()


@pytest.fixture
async def outbox(store, receiver):
    response = Response(
        destinations={
            "pager": Destination(url="https://pager.example/hook", secret_env="PAGER_SECRET"),
            "chat": Destination(url="https://chat.example/hook", kind="slack"),
        }
    )
    async with httpx.AsyncClient(transport=httpx.MockTransport(receiver)) as connection:
        yield Outbox(store, response, connection, fence=Held(), draw=lambda: 1.0)


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("PAGER_SECRET", "s3cret")


async def enqueue(store, clock, destination="pager", *, seconds=0, text="pos.lite: killed", secret="PAGER_SECRET"):
    before = Setting(current_state=FlagState.ON)
    incident = Incident(
        incident_id="inc-1", flag_name="pos.lite", trigger="x", opened_by="o", before=before, started_at=clock()
    )
    delivery = Delivery(
        delivery_id="inc-1-1:opened:on_call:pager",
        incident_id="inc-1",
        topic="opened",
        audience="on_call",
        destination=destination,
        payload={"text": text, "incident_id": "inc-1"},
        secret=secret,
        created_at=clock(),
        next_try_at=clock() + timedelta(seconds=seconds),
    )
    async with store.write() as tx:
        await tx.save_incident(incident)
        await tx.enqueue(delivery)


async def kept(store):
    async with store.read() as reader:
        [delivery] = await reader.deliveries_of("inc-1")
    return delivery


async def test_a_delivery_is_signed_over_time_and_body(store, clock, outbox, receiver):
    await enqueue(store, clock)
    assert await outbox.tick() == 1
    [request] = receiver.requests
    timestamp = request.headers["X-Flagconsole-Timestamp"]
    assert int(timestamp) == int(clock().timestamp())
    expected = hmac.new(b"s3cret", timestamp.encode() + b"." + request.content, hashlib.sha256).hexdigest()
    assert request.headers["X-Flagconsole-Signature"] == f"v1={expected}"
    assert json.loads(request.content)["delivery_id"] == "inc-1-1:opened:on_call:pager"
    delivery = await kept(store)
    assert (delivery.status, delivery.attempts, delivery.delivered_at) == (DeliveryStatus.DELIVERED, 1, clock())
    assert "s3cret" not in delivery.model_dump_json()
    await outbox.tick()
    assert len(receiver.requests) == 1


async def test_what_is_not_due_waits(store, clock, outbox, receiver):
    await enqueue(store, clock, seconds=60)
    assert await outbox.tick() == 0
    clock.forward(seconds=60)
    assert await outbox.tick() == 1


@pytest.mark.parametrize(
    ("status", "problem"), [(500, "HTTP status 500"), (302, "HTTP status 302"), (0, "ReadTimeout")]
)
async def test_a_failure_is_tried_again_with_the_same_id_and_growing_pauses(
    store, clock, outbox, receiver, status, problem
):
    await enqueue(store, clock)
    receiver.status = status
    pauses = []
    for _ in range(4):
        await outbox.tick()
        delivery = await kept(store)
        assert problem in delivery.problem
        assert delivery.status is DeliveryStatus.WAITING
        pauses.append((delivery.next_try_at - clock()).total_seconds())
        await outbox.tick()  # not due yet: nothing happens
        clock.at = delivery.next_try_at
    assert pauses == [2, 4, 8, 16]
    receiver.status = 204
    assert await outbox.tick() == 1
    assert {request.headers["X-Flagconsole-Delivery"] for request in receiver.requests} == {
        "inc-1-1:opened:on_call:pager"
    }
    assert (await kept(store)).attempts == 5


async def test_it_is_given_up_at_last_and_never_called_delivered(store, clock, outbox, receiver):
    await enqueue(store, clock)
    receiver.status = 500
    for _ in range(MOST_ATTEMPTS + 3):
        await outbox.tick()
        clock.forward(seconds=601)
    delivery = await kept(store)
    assert (delivery.status, delivery.delivered_at) == (DeliveryStatus.GIVEN_UP, None)
    assert len(receiver.requests) == MOST_ATTEMPTS


async def test_slack_gets_text_that_mentions_and_links_nobody(store, clock, outbox, receiver):
    await enqueue(store, clock, "chat", text="<!channel> <https://evil|x> & more", secret=None)
    await outbox.tick()
    [request] = receiver.requests
    plain = {"type": "plain_text", "text": "<!channel> <https://evil|x> & more", "emoji": False}
    assert json.loads(request.content) == {
        "text": "&lt;!channel&gt; &lt;https://evil|x&gt; &amp; more",
        "blocks": [{"type": "section", "text": plain}],
    }
    assert "X-Flagconsole-Signature" not in request.headers


async def test_without_its_key_or_its_destination_nothing_is_sent(store, clock, outbox, receiver, monkeypatch):
    await enqueue(store, clock)
    monkeypatch.delenv("PAGER_SECRET")
    await outbox.tick()
    assert "PAGER_SECRET" in (await kept(store)).problem
    assert receiver.requests == []


async def test_a_destination_that_went_away_is_named(store, clock, outbox, receiver):
    await enqueue(store, clock, "gone")
    await outbox.tick()
    assert (await kept(store)).problem == "the destination gone is not configured any more"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[audiences]\non_call = ['pager']\n", "the audience on_call names pager, which is no destination"),
        ("[programs]\nkubectl = 'kubectl'\n", "needs an absolute path"),
        ("[destinations.x]\nurl = 'ftp://x.example'\n", "destinations.x.url"),
        ("[destinations.x]\nurl = 'https://x.example'\nkind = 'mail'\n", "destinations.x.kind"),
        ("[destination.x]\n", "destination: extra inputs"),
        ("[destinations\n", "can't be read"),
    ],
)
def test_mistakes_in_the_configuration_are_named(tmp_path, text, problem):
    path = tmp_path / "response.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput) as error:
        read_response(path)
    assert problem in str(error.value)
