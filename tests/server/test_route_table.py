"""Who may ask for what: every route, with every role, for all tenants and bound to one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from flagconsole.domain.role import Role, may
from flagconsole.operations.permissions import PERMISSIONS, Operation, Scope
from flagconsole.server.app import create_app
from flagconsole.server.route_table import ROUTES, page, refuse_unlisted

from ..live_server import LiveServer

PAGE = Path(__file__).parents[2] / "docs" / "roles.md"
_BEGIN, _END = "<!-- from the table -->\n", "<!-- to here -->\n"


Keys = dict[tuple[Role, str | None], str]


@contextmanager
def serving(store_url: str) -> Iterator[LiveServer]:
    """A server with two flags."""
    with LiveServer(store_url) as running:
        for name in ("pos.lite", "invoices.write"):
            assert running.request("POST", "/api/flags", json={"flag_name": name}).status_code == 201
        yield running


def keys_of(server: LiveServer) -> Keys:
    """One key for each role and tenant (None: bound to no tenant)."""
    found: Keys = {(role, None): secret for role, secret in server.keys.items()}
    for role in Role:
        body = {"name": f"{role.value} of t1", "role": role.value, "tenant_id": "t1"}
        found[role, "t1"] = server.request("POST", "/api/keys", json=body).json()["secret"]
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(f"sqlite:{tmp_path_factory.mktemp('roles') / 'flags.db'}") as running:
        yield running


@pytest.fixture(scope="module")
def keys(server):
    return keys_of(server)


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url, timeout=10) as opened:
        yield opened


def asked(client: httpx.Client, call: str, secret: str | None) -> tuple[int, str]:
    """The status and the code of the answer. Streams are left as soon as they begin."""
    method, path = call.split(" ", 1)
    for name, value in {
        "{name}": "pos.lite",
        "{key:any_text}": "pos.lite",
        "{incident_id}": "inc-nope",
        "{step}": "verification_1",
        "{key_id}": "key-nope",
        "{instance_id}": "i-1",
        "{grant_id}": "glass-nope",
        "{approval_id}": "appr-nope",
    }.items():
        path = path.replace(name, value)
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    body = {} if method in {"POST", "PUT", "PATCH"} else None
    with client.stream(method, path, headers=headers, json=body) as answer:
        if answer.headers.get("Content-Type", "").endswith("problem+json"):
            answer.read()
            return answer.status_code, answer.json()["code"]
        return answer.status_code, ""


def only_those_get_through_whom_the_table_lets(client: httpx.Client, keys: Keys, call: str) -> None:
    operation = ROUTES[call]
    if operation is None:
        assert asked(client, call, None)[0] == 200
        return
    assert asked(client, call, None)[0] == 401
    assert asked(client, call, "fc_admin_made-up")[0] == 401
    needed = PERMISSIONS[operation]
    for (role, tenant), secret in keys.items():
        status, code = asked(client, call, secret)
        if not may(role, needed.least_role):
            assert (status, code) in {(403, "not_allowed"), (403, "")}, (role, tenant)
        elif tenant is not None and needed.scope is Scope.FLEET:
            assert (status, code) == (403, "beyond_tenant"), (role, tenant)
        else:
            assert status not in {401, 403} or code == "TENANT_REQUIRED", (role, tenant)


@pytest.mark.parametrize("call", ROUTES)
def test_only_those_get_through_whom_the_table_lets(client, keys, call):
    only_those_get_through_whom_the_table_lets(client, keys, call)


def test_nor_anybody_else_on_postgresql(postgres):
    with serving(postgres()) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        keys = keys_of(server)
        for call in ROUTES:
            only_those_get_through_whom_the_table_lets(client, keys, call)


def test_the_table_has_every_operation_of_the_document():
    document = create_app(operations=None).openapi()  # type: ignore[arg-type]  # only its routes are looked at
    described = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert described <= {call.replace(":any_text", "") for call in ROUTES}


def test_a_tenants_key_reads_and_changes_its_own_tenant_only(server, keys):
    own = {"Authorization": f"Bearer {keys[Role.OPERATOR, 't1']}"}
    for tenant in ("t1", "t2"):
        body = {"override_state": "off", "override_reason": "theirs", "tenant_id": tenant}
        assert server.request("PUT", "/api/flags/pos.lite/override", json=body).status_code == 200
    body = {"override_state": "off", "override_reason": "mine"}
    assert server.request("PUT", "/api/flags/pos.lite/override", json=body, headers=own).status_code == 200
    refused = server.request("PUT", "/api/flags/pos.lite/override", json=body | {"tenant_id": "t2"}, headers=own)
    assert refused.status_code >= 400
    for path in ("/api/flags", "/api/history", "/api/flags/pos.lite/history"):
        answer = server.request("GET", path, headers=own)
        assert answer.status_code == 200
        assert "t2" not in answer.text, path
    raising = {"override_state": "on", "override_reason": "mine"}
    assert server.request("PUT", "/api/flags/pos.lite/override", json=raising, headers=own).status_code == 403
    extra = server.request("GET", "/api/stream?include=incidents", headers=own)
    assert (extra.status_code, extra.json()["code"]) == (403, "beyond_tenant")


def test_every_operation_has_a_row_and_every_row_but_one_a_route():
    assert set(PERMISSIONS) == set(Operation)
    # RAISE is asked beside others.
    assert set(ROUTES.values()) - {None} == set(Operation) - {Operation.RAISE}


def test_a_route_that_nobody_gave_a_role_is_not_served():
    router = APIRouter()
    router.add_api_route("/api/surprise", page, methods=["GET"])
    served = create_app(operations=None).state.routes  # type: ignore[arg-type]  # only its routes are looked at
    refuse_unlisted(served)
    with pytest.raises(LookupError, match="GET /api/surprise"):
        refuse_unlisted([*served, *router.routes])
    with pytest.raises(LookupError, match="/health"):
        refuse_unlisted([route for route in served if route.path != "/health"])


def test_the_openapi_document_says_who_may():
    document = create_app(operations=None).openapi()  # type: ignore[arg-type]  # only its routes are looked at
    kill = document["paths"]["/api/flags/{name}/kill"]["post"]
    assert (kill["x-operation"], kill["x-role"], kill["x-scope"]) == ("kill", "operator", "fleet")
    assert document["paths"]["/health"]["get"]["x-role"] == "none"
    assert all("x-role" in operation for item in document["paths"].values() for operation in item.values())


def test_the_page_of_roles_is_made_from_the_table():
    before, rest = PAGE.read_text().split(_BEGIN)
    shown, after = rest.split(_END)
    if os.environ.get("FLAGCONSOLE_DOCS") == "write":
        PAGE.write_text(f"{before}{_BEGIN}{page()}{_END}{after}")
    else:
        assert shown == page(), "write it anew: FLAGCONSOLE_DOCS=write pytest tests/server/test_route_table.py"
