"""A server for measuring the console: the tests' fleet over HTTP, with as many flags and events a second as asked for.

``python -m bench.console_server --flags N`` listens on a free loopback port and says which. ``GET /rate?events=N`` sets how many
changes a second the stream tells of. It keeps no history and checks no key: only the console's cost is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.console.conftest import FakeServer
from tests.console.fake_rollouts import calm

from flagconsole.domain.duration import parse_duration
from flagconsole.domain.flag_metrics import FlagMetrics
from flagconsole.operations.plan_file import named_plan

CANARY = "pos.loyalty_points"
OWN_METRICS = (
    "suggestion_accuracy",
    "user_acceptance",
    "pricing_variance",
    "adoption",
    "revenue_impact",
    "ai_service_error_rate",
)
#: Seconds between two batches of events.
BATCH = 0.05


def fleet(flags: int) -> FakeServer:
    """The tests' fleet with more flags."""
    server = FakeServer()
    server.add("billing.retry", "on", ago=3 * 86_400, owner="payments")
    server.add("invoices.write", "on", ago=7200, dependencies=("billing.retry",))
    for number in range(max(0, flags - 3)):
        server.add(f"team{number % 50:02}.flag_{number:06}", "on" if number % 3 else "off", ago=4000)
    server.add(CANARY, "off", ago=3600, who="rel")
    server.change(CANARY, "canary", percentage=10, who="rel", reason="start canary", silent=True)
    for number in range(15):
        server.instance(f"{('billing', 'pos', 'ai')[number % 3]}-{number:02}")
    # Nine metrics are judged or good to see beside: on a wide screen eight charts are in view.
    server.rollout_of(CANARY, plan=named_plan("default", "estimates.ai_pricing"))
    server.moving[CANARY] = calm
    return server


class Bench:
    """The routes. ``rate`` is the number of changes a second."""

    def __init__(self, flags: int) -> None:
        self.server = fleet(flags)
        self.rate = 0
        self.names = [name for name in self.server.flags_by_name if name != CANARY][:200]
        #: The idempotency keys of the kills that were asked for; none is ever answered.
        self.killed: list[str] = []
        self._listing: tuple[int, bytes] = (-1, b"")
        self._began = time.monotonic()

    def answer(self, model: Any) -> Response:
        return Response(model.model_dump_json(), media_type="application/json")

    async def call(self, request: Request) -> Response:
        """Whatever the console reads."""
        server, path = self.server, request.url.path
        name = request.path_params.get("name", "")
        match path.rpartition("/")[2]:
            case "status":
                return self.answer(await server.status())
            case "flags":
                if self._listing[0] != server.revision:
                    self._listing = server.revision, (await server.flags()).model_dump_json().encode()
                return Response(self._listing[1], media_type="application/json")
            case "instances":
                return self.answer(await server.instances())
            case "tenants":
                return self.answer(await server.tenants())
            case "history":
                return self.answer(await server.history(limit=200))
            case "rollouts":
                return self.answer(await server.rollouts())
            case "incidents":
                return self.answer(await server.incidents())
            case "playbooks":
                return self.answer(await server.playbooks())
            case "rollout":
                return self.answer(await server.rollout(name))
            case "verdicts":
                return self.answer(await server.verdicts(name))
            case "metrics":
                return self.metrics(
                    await server.metrics(
                        name, parse_duration(request.query_params.get("window", "1h"), "window", least=1, most=10**9)
                    )
                )
        return PlainTextResponse("no such route", 404)

    def metrics(self, told: FlagMetrics) -> Response:
        """What was measured until now: also of the flag's own metrics."""
        self.server.later = time.monotonic() - self._began
        data = told.model_dump(mode="json")
        for group in data["groups"].values():
            steps = [math.sin((self.server.later + number) / 9) for number, _ in enumerate(told.starts)]
            group["series"]["custom"] = {
                metric: [0.5 + 0.05 * place + 0.04 * step for step in steps] for place, metric in enumerate(OWN_METRICS)
            }
        return Response(json.dumps(data), media_type="application/json")

    async def set_rate(self, request: Request) -> Response:
        """How many changes a second; says how many there were so far."""
        self.rate = int(request.query_params["events"])
        return PlainTextResponse(str(self.server.revision))

    async def kill(self, request: Request) -> Response:
        """Take a kill and say nothing."""
        self.killed.append(request.headers["Idempotency-Key"])
        await asyncio.sleep(3600)
        return PlainTextResponse("too late", 503)

    async def tell_killed(self, request: Request) -> Response:
        """Which kills were asked for."""
        return Response(json.dumps(self.killed), media_type="application/json")

    async def stream(self, request: Request) -> Response:
        """The events."""
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[bytes]:
        beat_at = 0.0
        owed = 0.0
        before = time.monotonic()
        while True:
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + 5.0
                yield _frame("heartbeat", "", {"epoch": "e1", "revision": self.server.revision, "now": time.time()})
            now = time.monotonic()
            owed, before = owed + self.rate * (now - before), now
            frames = []
            while owed >= 1:
                owed -= 1
                frames.append(self._change())
            if frames:
                yield b"".join(frames)
            await asyncio.sleep(BATCH)

    def _change(self) -> bytes:
        server = self.server
        name = self.names[server.revision % len(self.names)]
        flag = server.flags_by_name[name]
        state = "off" if flag.current_state.value == "on" else "on"
        change = server.change(name, state, reason="load", silent=True)
        body = {
            "epoch": "e1",
            "revision": change.change_id,
            "change": change.model_dump(mode="json"),
            "flag": server.flags_by_name[name].model_dump(mode="json"),
            "override": None,
        }
        return _frame("change", f"e1:{change.change_id}", body)


def _frame(event: str, event_id: str, body: Any) -> bytes:
    return f"event: {event}\nid: {event_id}\ndata: {json.dumps(body)}\n\n".encode()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flags", type=int, default=30)
    bench = Bench(parser.parse_args().flags)
    routes = [
        Route("/rate", bench.set_rate),
        Route("/killed", bench.tell_killed),
        Route("/api/flags/{name}/kill", bench.kill, methods=["POST"]),
        Route("/api/stream", bench.stream),
        Route("/api/flags/{name}/{what}", bench.call),
        Route("/api/{what}", bench.call),
    ]
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(Starlette(routes=routes), log_level="error", timeout_keep_alive=60)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
