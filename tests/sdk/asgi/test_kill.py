"""A kill under load: once the service has confirmed it, not one request runs the feature."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import httpx
import pytest
from fastapi import Depends, FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route

from flagconsole.domain.role import Role
from flagconsole.sdk import FlagClient
from flagconsole.sdk.asgi import FlagGate

from ..serving_app import serving_app

FLAG = "invoices.write"
WAYS = ("dependency", "middleware", "decorator", "threaded")


def service(flags: FlagClient, ran: list[str]) -> FastAPI:
    """A service with the feature behind each way to require its flag."""
    gate = FlagGate(flags, tenant=lambda connection: connection.headers.get("X-Tenant"))
    app = FastAPI()
    gate.install(app)

    @app.get("/dependency", dependencies=[Depends(gate.require_flag(FLAG))])
    async def dependency(request: Request):
        ran.append(request.headers["X-Request"])
        await asyncio.sleep(0.001)
        return {}

    @app.get("/threaded", dependencies=[Depends(gate.require_flag(FLAG))])
    def threaded(request: Request):
        ran.append(request.headers["X-Request"])
        return {}

    @gate.require_flag(FLAG)
    async def decorated(request: Request):
        await run_in_threadpool(ran.append, request.headers["X-Request"])
        return JSONResponse({})

    async def plain(request: Request):
        ran.append(request.headers["X-Request"])
        return JSONResponse({})

    app.router.routes.append(Route("/decorator", decorated))
    app.router.routes.append(Route("/middleware", plain, middleware=[Middleware(gate.require_flag(FLAG))]))
    return app


@pytest.fixture
def flags(live_server):
    assert live_server.request("POST", "/api/flags", json={"flag_name": FLAG, "default_state": "on"}).status_code == 201
    with FlagClient(live_server.url, live_server.keys[Role.SDK], "invoices-1", cache_dir=False) as client:
        assert client.wait_ready(10)
        yield client


async def test_after_the_receipt_not_one_request_runs_the_feature(live_server, flags):
    ran: list[str] = []
    answered: Counter[int] = Counter()
    began: dict[str, float] = {}
    stop = asyncio.Event()

    async def customer(client: httpx.AsyncClient, number: int) -> None:
        turn = 0
        while not stop.is_set():
            request = f"{number}.{turn}"
            began[request] = time.monotonic()
            headers = {"X-Tenant": f"t{number}", "X-Request": request}
            answer = await client.get(f"/{WAYS[turn % len(WAYS)]}", headers=headers)
            answered[answer.status_code] += 1
            if answer.status_code == 403:
                assert answer.json()["state"] == "kill"
            turn += 1

    async def until(done) -> None:
        deadline = time.monotonic() + 30
        while not done():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)

    with serving_app(service(flags, ran)) as url:
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
            customers = [asyncio.create_task(customer(client, number)) for number in range(24)]
            await until(lambda: answered[200] > 100)
            killed = await asyncio.to_thread(
                live_server.request, "POST", f"/api/flags/{FLAG}/kill", json={"kill_reason": "errors"}
            )
            revision = killed.json()["revision"]

            def confirmed() -> bool:
                found = live_server.request("GET", f"/api/instances?revision={revision}").json()
                return found["expected"] == found["confirmed"] == 1

            while not await asyncio.to_thread(confirmed):
                await asyncio.sleep(0.001)
            receipt = time.monotonic()
            refused = answered[403]
            await until(lambda: answered[403] > refused + 200)
            stop.set()
            await asyncio.gather(*customers)
    late = [request for request in ran if began[request] > receipt]
    assert late == []
    assert set(answered) == {200, 403}
    assert len(ran) == answered[200]
    assert sum(at > receipt for at in began.values()) >= 150
