"""Routes behind flags: as dependency, middleware and decorator, in applications as services write them."""

from __future__ import annotations

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from flagconsole.sdk import Mode
from flagconsole.sdk.asgi import FeatureDisabled, FlagGate, TenantRequired, request_mode

ON, SHADOW, OFF, KILLED, CANARY = "a.on", "a.shadow", "a.off", "a.killed", "a.canary"


@pytest.fixture
def gate(server, make_client):
    for flag, state in ((ON, "on"), (SHADOW, "shadow"), (OFF, "off"), (KILLED, "kill")):
        server.put(flag, state)
    server.put(CANARY, "canary", canary_tenant_ids=["in"])
    client = make_client()
    assert client.wait_ready(10)
    return FlagGate(client, tenant=lambda connection: connection.headers.get("X-Tenant"))


async def ask(app, path="/", tenant: str | None = "t1", method="GET"):
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path, headers={} if tenant is None else {"X-Tenant": tenant})


def as_dependency(gate, flag, **options):
    app = FastAPI()
    gate.install(app)

    @app.get("/")
    async def endpoint(request: Request, mode: Mode = Depends(gate.require_flag(flag, **options))):  # noqa: B008
        assert request_mode(request, flag) is mode
        return {"mode": mode}

    return app


def as_route_dependency(gate, flag, **options):
    app = FastAPI(dependencies=[Depends(gate.require_flag(flag, **options))])
    gate.install(app)

    @app.get("/")
    def endpoint(request: Request):
        return {"mode": request_mode(request, flag)}

    return app


def as_middleware(gate, flag, **options):
    async def endpoint(request):
        return JSONResponse({"mode": request_mode(request, flag)})

    return Starlette(routes=[Route("/", endpoint, middleware=[Middleware(gate.require_flag(flag, **options))])])


def as_app_middleware(gate, flag, **options):
    async def endpoint(request):
        return JSONResponse({"mode": request_mode(request, flag)})

    return Starlette(routes=[Route("/", endpoint)], middleware=[Middleware(gate.require_flag(flag, **options))])


def as_decorator(gate, flag, **options):
    @gate.require_flag(flag, **options)
    async def endpoint(request: Request):
        return JSONResponse({"mode": request_mode(request, flag)})

    app = Starlette(routes=[Route("/", endpoint)])
    gate.install(app)
    return app


def as_sync_decorator(gate, flag, **options):
    app = FastAPI()
    gate.install(app)

    @app.get("/")
    @gate.require_flag(flag, **options)
    def endpoint(request: Request):
        return {"mode": request_mode(request, flag)}

    return app


def as_class_decorator(gate, flag, **options):
    @gate.require_flag(flag, **options)
    class Endpoint(HTTPEndpoint):
        async def get(self, request):
            return JSONResponse({"mode": request_mode(request, flag)})

    return Starlette(routes=[Route("/", Endpoint)])


EVERY_WAY = [
    as_dependency,
    as_route_dependency,
    as_middleware,
    as_app_middleware,
    as_decorator,
    as_sync_decorator,
    as_class_decorator,
]


@pytest.mark.parametrize("way", EVERY_WAY)
async def test_every_way_lets_through_and_answers_alike(gate, way):
    assert (await ask(way(gate, ON))).json() == {"mode": "enabled"}
    assert (await ask(way(gate, CANARY), tenant="in")).json() == {"mode": "enabled"}
    assert (await ask(way(gate, SHADOW, shadow_ok=True))).json() == {"mode": "shadow"}
    for flag, state in ((SHADOW, "shadow"), (OFF, "off"), (KILLED, "kill"), (CANARY, "off"), ("no.such", "off")):
        answer = await ask(way(gate, flag))
        assert answer.status_code == 403
        body = answer.json()
        assert (set(body), body["code"]) == ({"code", "flag", "state", "message"}, "FEATURE_DISABLED")
        assert (body["flag"], body["state"]) == (flag, state)
        assert flag in body["message"]
        assert answer.headers["Cache-Control"] == "no-store"
    for tenant in (None, "", "  "):
        answer = await ask(way(gate, ON), tenant=tenant)
        assert (answer.status_code, answer.json()) == (
            401, {"code": "TENANT_REQUIRED", "message": f"{ON} needs a tenant"}
        )  # fmt: skip


async def test_without_being_installed_they_are_refused_all_the_same(gate):
    app = FastAPI()

    @app.get("/", dependencies=[Depends(gate.require_flag(OFF))])
    async def endpoint():
        raise AssertionError

    assert (await ask(app)).status_code == 403


async def test_several_flags_on_one_route(gate):
    app = FastAPI()
    gate.install(app)
    needs = [Depends(gate.require_flag(ON)), Depends(gate.require_flag(SHADOW, shadow_ok=True))]

    @app.get("/", dependencies=needs)
    async def endpoint(request: Request):
        return [request_mode(request, flag) for flag in (ON, SHADOW, OFF)]

    assert (await ask(app)).json() == ["enabled", "shadow", "disabled"]


async def test_the_tenant_may_be_found_asynchronously_and_for_one_route_elsewhere(gate):
    async def tenant(connection):
        return connection.query_params.get("for")

    app = as_dependency(gate, CANARY, tenant=tenant)
    assert (await ask(app, "/?for=in", tenant=None)).status_code == 200
    assert (await ask(app, "/?for=out", tenant="in")).status_code == 403


def generator():
    yield


async def test_any_function_can_be_decorated(gate):
    @gate.require_flag(CANARY, tenant=lambda tenant, amount: tenant)
    def charge(tenant, amount):
        return amount

    async def found(tenant):
        return tenant

    @gate.require_flag(CANARY, tenant=found)
    async def refund(tenant):
        return "refunded"

    assert (charge("in", 5), await refund("in")) == (5, "refunded")
    with pytest.raises(FeatureDisabled) as refused:
        charge("out", amount=5)
    assert (refused.value.flag, refused.value.state) == (CANARY, "off")
    with pytest.raises(TenantRequired):
        await refund("")
    with pytest.raises(TypeError, match="tenant="):
        gate.require_flag(ON)(lambda: 1)()
    with pytest.raises(TypeError, match="not int"):
        charge(5, 5)
    with pytest.raises(TypeError, match="generator"):
        gate.require_flag(ON)(generator)


async def test_a_web_socket_is_refused_before_it_opens(gate):
    async def endpoint(websocket: WebSocket):
        raise AssertionError

    for app in (
        Starlette(routes=[WebSocketRoute("/", endpoint, middleware=[Middleware(gate.require_flag(OFF))])]),
        FastAPI(),
    ):
        if isinstance(app, FastAPI):
            gate.install(app)
            app.websocket("/", dependencies=[Depends(gate.require_flag(OFF))])(endpoint)
        sent = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message, sent=sent):
            sent.append(message)

        scope = {"type": "websocket", "path": "/", "raw_path": b"/", "query_string": b"", "subprotocols": []}
        await app({**scope, "headers": [(b"x-tenant", b"t1")], "root_path": "", "scheme": "ws"}, receive, send)
        assert [(message["type"], message["code"], message["reason"]) for message in sent] == [
            ("websocket.close", 1008, "FEATURE_DISABLED")
        ]


async def test_openapi_shows_the_dependency_without_inventing_parameters(gate):
    answer = await ask(as_dependency(gate, ON), "/openapi.json")
    assert "parameters" not in answer.json()["paths"]["/"]["get"]
