"""The server keeps to its own OpenAPI document, whatever it is sent."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from flagconsole.domain.role import Role

from ..live_server import LiveServer


@schemathesis.check
def no_accident(ctx, response, case):
    """Nothing unexpected happens. Being behind the position that a client claims to have seen is an answer."""
    assert response.status_code < 500 or response.json()["code"] == "replica_behind"


CHECKS = [
    no_accident,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('openapi') / 'flags.db'}") as server:
        created = server.request("POST", "/api/flags", json={"flag_name": "invoices.write"})
        assert created.status_code == 201
        schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json", timeout=60).exclude(path="/api/stream")
        yield server, schema


def operations():
    """The paths are known without a server, so that each is a test of its own."""
    from flagconsole.server.app import create_app

    document = create_app(operations=None).openapi()  # type: ignore[arg-type]  # only its routes are looked at
    return [
        (method.upper(), path)
        for path, item in sorted(document["paths"].items())
        for method in sorted(item)
        if path != "/api/stream"
    ]


@pytest.mark.parametrize(("method", "path"), operations())
def test_operation_keeps_to_the_document(api, method, path):
    server, schema = api
    case_strategy = schema[path][method].as_strategy()

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=case_strategy)
    def check(case):
        headers = {"Authorization": f"Bearer {server.keys[Role.ADMIN]}"}
        # One flag is really there, so that bodies get as far as the store.
        if "name" in (case.path_parameters or {}) and len(case.path_parameters["name"]) % 2:
            case.path_parameters["name"] = "invoices.write"
        case.call_and_validate(headers=headers, checks=CHECKS, timeout=60)

    check()
