"""How much one key may ask for, and that nothing of it holds a kill up."""

from __future__ import annotations

import httpx
import pytest

from flagconsole.domain.errors import TooManyRequests
from flagconsole.domain.role import Actor, Role
from flagconsole.operations.permissions import Operation
from flagconsole.server.bounds import Bounds
from flagconsole.server.quotas import Quotas

from ..live_server import LiveServer

ONE, OTHER = (Actor(name=name, role=Role.ADMIN, key_id=name) for name in ("one", "other"))


def ask(quotas: Quotas, actor: Actor, operation: Operation = Operation.READ) -> None:
    with quotas.asking(actor, operation):
        pass


def test_a_key_that_asks_too_often_waits_and_others_do_not():
    now = [100.0]
    quotas = Quotas(Bounds(rate=0.5, burst=3), clock=lambda: now[0])
    for _ in range(3):
        ask(quotas, ONE)
    with pytest.raises(TooManyRequests) as refused:
        ask(quotas, ONE)
    assert refused.value.details["retry_after"] == 2
    ask(quotas, OTHER)
    for operation in (Operation.KILL, Operation.HOLD, Operation.ROLLBACK):
        ask(quotas, ONE, operation)
    now[0] += 2
    ask(quotas, ONE)
    with pytest.raises(TooManyRequests):
        ask(quotas, ONE)


def test_only_so_many_at_once():
    quotas = Quotas(Bounds(streams=2, requests=1))
    with quotas.asking(ONE, Operation.READ_RULES, streams=True), quotas.asking(ONE, Operation.READ_RULES, streams=True):
        with pytest.raises(TooManyRequests, match="open streams"):
            ask_stream(quotas)
        with quotas.asking(ONE, Operation.READ):
            with pytest.raises(TooManyRequests, match="requests under way"):
                ask(quotas, ONE)
            ask(quotas, ONE, Operation.KILL)
            ask(quotas, OTHER)
    ask_stream(quotas)


def ask_stream(quotas: Quotas) -> None:
    with quotas.asking(ONE, Operation.READ_RULES, streams=True):
        pass


def test_over_http_with_whole_seconds_to_wait_and_a_kill_that_does_not(tmp_path):
    bounds = Bounds(rate=0.01, burst=4, streams=1)
    with LiveServer(f"sqlite:{tmp_path / 'flags.db'}", bounds=bounds) as server:
        server.request("POST", "/api/flags", json={"flag_name": "pos.lite"})
        sdk = {"Authorization": f"Bearer {server.keys[Role.SDK]}"}
        with httpx.stream("GET", server.url + "/api/stream", headers=sdk, timeout=10) as first:
            frames = first.iter_raw()  # kept: httpx closes a stream whose iterator is gone
            next(frames)
            for path in ("/api/stream", "/ofrep/v1/stream", "/api/client/streaming"):
                second = httpx.get(server.url + path, headers=sdk, timeout=10)
                assert second.status_code == 429, path
        statuses = [server.request("GET", "/api/flags").status_code for _ in range(5)]
        assert (statuses[0], statuses[-1]) == (200, 429)
        refused = server.request("GET", "/api/flags")
        assert refused.json()["code"] == "too_many_requests"
        assert int(refused.headers["Retry-After"]) >= 1
        killed = server.request("POST", "/api/flags/pos.lite/kill", json={"kill_reason": "now"})
        assert killed.status_code == 200
