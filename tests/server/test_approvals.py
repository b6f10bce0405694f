"""A second person for what raises exposure, and none for what lowers it."""

from __future__ import annotations

import httpx
import pytest

from flagconsole.domain.role import Role

from ..live_server import LiveServer

SHADOW = {"current_state": "shadow", "change_reason": "look"}


@pytest.fixture
def server(store_url):
    with LiveServer(store_url, requires_approvals=True) as running:
        assert running.request("POST", "/api/flags", json={"flag_name": "pos.lite"}).status_code == 201
        yield running


@pytest.fixture
def other(server):
    """Another admin's key, as headers."""
    made = server.request("POST", "/api/keys", json={"name": "second", "role": "admin"}).json()
    return {"Authorization": f"Bearer {made['secret']}"}


def put(server: LiveServer, version: int, body: dict[str, object] = SHADOW, **more) -> httpx.Response:
    return server.request("PUT", "/api/flags/pos.lite", json=body, headers={"If-Match": f'"{version}"'}, **more)


def asked(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.json()["code"]) == (409, "approval_required"), answer.text
    return answer.json()["details"]["approval_id"]


def test_what_raises_is_done_once_somebody_else_has_allowed_it(server, other):
    approval = asked(put(server, 1))
    assert asked(put(server, 1)) == approval
    approve = f"/api/approvals/{approval}/approve"
    assert server.request("POST", approve).status_code == 403
    assert server.request("POST", approve, role=Role.OPERATOR).status_code == 403
    assert server.request("POST", approve, headers=other).json()["approved_by"] == "second"
    # It was allowed to whoever asked and for what they asked.
    assert put(server, 1, SHADOW | {"change_reason": "another"}).status_code == 409
    done = put(server, 1)
    assert done.status_code == 200
    assert done.json()["change"]["approved_by"] == "second"
    assert server.request("GET", "/api/audit/verify").json()["verified"]
    # Once.
    assert server.request("PUT", "/api/flags/pos.lite", json={"current_state": "off", "change_reason": "x"}).is_success
    assert asked(put(server, 3)) != approval
    over = server.request("POST", approve, headers=other)
    assert (over.status_code, over.json()["code"]) == (409, "approval_over")
    assert server.request("POST", "/api/approvals/appr-nope/approve").status_code == 404
    waiting = server.request("GET", "/api/approvals", role=Role.VIEWER).json()["approvals"]
    assert [item["approved_by"] for item in waiting] == [None, None, "second"]


def test_what_was_declined_is_not_done_also_where_it_had_been_allowed(server, other):
    decline = {"decline_reason": "not before the holidays"}
    first = asked(put(server, 1))
    for role in (Role.OPERATOR, Role.VIEWER):
        refused = server.request("POST", f"/api/approvals/{first}/decline", json=decline, role=role)
        assert refused.status_code == 403
    assert server.request("POST", f"/api/approvals/{first}/decline", json={}).status_code == 422
    said = server.request("POST", f"/api/approvals/{first}/decline", json=decline, headers=other).json()
    assert (said["declined_by"], said["decline_reason"]) == ("second", "not before the holidays")
    again = server.request("POST", f"/api/approvals/{first}/decline", json={"decline_reason": "x"}, headers=other)
    assert (again.status_code, again.json()) == (200, said)
    late = server.request("POST", f"/api/approvals/{first}/approve", headers=other)
    assert (late.status_code, late.json()["code"]) == (409, "approval_over")
    # Asking again is a new request; consent can be taken back until it is used, also by whoever asked.
    second = asked(put(server, 1))
    assert second != first
    assert server.request("POST", f"/api/approvals/{second}/approve", headers=other).is_success
    assert server.request("POST", f"/api/approvals/{second}/decline", json=decline).is_success
    third = asked(put(server, 1))
    assert server.request("POST", f"/api/approvals/{third}/approve", headers=other).is_success
    assert put(server, 1).status_code == 200
    used = server.request("POST", f"/api/approvals/{third}/decline", json=decline, headers=other)
    assert (used.status_code, used.json()["code"]) == (409, "approval_over")
    assert server.request("POST", "/api/approvals/appr-nope/decline", json=decline).status_code == 404
    assert server.request("GET", "/api/audit/verify").json()["verified"]


def test_the_same_idempotency_key_may_be_used_for_asking_again(server, other):
    headers = {"If-Match": '"1"', "Idempotency-Key": "once"}
    approval = asked(server.request("PUT", "/api/flags/pos.lite", json=SHADOW, headers=headers))
    assert server.request("POST", f"/api/approvals/{approval}/approve", headers=other).is_success
    first, again = (server.request("PUT", "/api/flags/pos.lite", json=SHADOW, headers=headers) for _ in range(2))
    assert (first.status_code, again.status_code, again.headers["Idempotency-Replayed"]) == (200, 200, "true")
    assert first.json()["revision"] == again.json()["revision"]


def test_what_was_allowed_is_not_done_to_a_flag_that_moved(server, other):
    approval = asked(put(server, 1))
    assert server.request("POST", f"/api/approvals/{approval}/approve", headers=other).is_success
    described = server.request("PUT", "/api/flags/pos.lite", json={"description": "till", "change_reason": "words"})
    assert described.status_code == 200
    assert put(server, 1).status_code == 412
    without = server.request("PUT", "/api/flags/pos.lite", json=SHADOW)
    assert (without.status_code, without.json()["code"]) == (428, "version_required")


def test_what_lowers_never_waits(server, other):
    body = {"current_state": "canary", "canary_percentage": 50, "change_reason": "go"}
    approval = asked(put(server, 1, body))
    assert server.request("POST", f"/api/approvals/{approval}/approve", headers=other).is_success
    assert put(server, 1, body).is_success
    lower = {"canary_percentage": 10, "change_reason": "less"}
    assert server.request("PUT", "/api/flags/pos.lite", json=lower).status_code == 200
    back = server.request("POST", "/api/flags/pos.lite/rollback", role=Role.OPERATOR, json={"rollback_reason": "up?"})
    assert back.json()["code"] == "raise_refused"
    override = {"override_state": "off", "override_reason": "trouble", "tenant_id": "t1"}
    assert server.request("PUT", "/api/flags/pos.lite/override", role=Role.OPERATOR, json=override).status_code == 200
    playbook = {"playbook_name": "immediate", "playbook_reason": "errors"}
    assert server.request("POST", "/api/flags/pos.lite/playbook", role=Role.OPERATOR, json=playbook).status_code == 200
    assert server.request("POST", "/api/flags/pos.lite/kill", role=Role.OPERATOR, json={"kill_reason": "x"}).is_success
    version = server.request("GET", "/api/flags/pos.lite").json()["flag"]["version"]
    revive = {"revive_reason": "fixed"}
    revived = server.request("POST", "/api/flags/pos.lite/revive", json=revive, headers={"If-Match": f'"{version}"'})
    asked(revived)


def test_every_other_way_up_is_asked_as_well(server):
    new = server.request("POST", "/api/flags", json={"flag_name": "pos.full", "default_state": "on"})
    asked(new)
    raised = {"override_state": "on", "override_reason": "pilot", "tenant_id": "t1"}
    headers = {"If-Match": '"1"'}
    asked(server.request("PUT", "/api/flags/pos.lite/override", json=raised, headers=headers))
    bulk = {"change_reason": "go", "changes": [{"flag_name": "pos.lite", "version": 1, "current_state": "on"}]}
    asked(server.request("POST", "/api/bulk/set", json=bulk))
    start = {"start_reason": "go", "plan_name": "default"}
    asked(server.request("POST", "/api/flags/pos.lite/rollout", json=start, headers=headers))
    dry = put(server, 1, params={"dry_run": "true"})
    assert (dry.status_code, dry.json()["code"], "approval_id" in dry.json()["details"]) == (
        409,
        "approval_required",
        False,
    )
    assert len(server.request("GET", "/api/approvals").json()["approvals"]) == 4
    assert server.request("GET", "/api/flags/pos.lite").json()["flag"]["current_state"] == "off"
