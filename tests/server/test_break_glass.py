"""Break-glass: admin's rights for a time, and everything done with them marked and listed for review."""

from __future__ import annotations

import pytest

from flagconsole.domain.role import Role

OPERATOR, ADMIN = Role.OPERATOR, Role.ADMIN


@pytest.fixture
def server(live_server):
    for name in ("pos.lite", "invoices.write"):
        assert live_server.request("POST", "/api/flags", json={"flag_name": name}).status_code == 201
    return live_server


def begin(server, **more) -> str:
    answer = server.request("POST", "/api/break-glass", role=OPERATOR, json={"reason": "nobody awake", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()["grant"]["grant_id"]


def set_shadow(server, flag: str) -> int:
    body = {"current_state": "shadow", "change_reason": "look"}
    return server.request("PUT", f"/api/flags/{flag}", role=OPERATOR, json=body).status_code


def test_an_operator_has_admins_rights_until_they_end_and_all_is_marked(server):
    assert set_shadow(server, "pos.lite") == 403
    grant = begin(server)
    assert set_shadow(server, "pos.lite") == 200
    assert server.request("POST", "/api/flags/invoices.write/kill", role=OPERATOR, json={"kill_reason": "x"}).is_success
    tenants = {"tenants": [{"tenant_id": "t1"}]}
    assert server.request("PUT", "/api/tenants", role=OPERATOR, json=tenants).is_success
    changes = server.request("GET", "/api/history").json()["changes"]
    assert [(c["flag_name"], c["break_glass"]) for c in changes] == [
        ("invoices.write", grant),
        ("pos.lite", grant),
        ("invoices.write", None),
        ("pos.lite", None),
    ]
    assert server.request("GET", "/api/audit/verify").json()["verified"]
    assert server.request("DELETE", f"/api/break-glass/{grant}", role=OPERATOR).is_success
    assert set_shadow(server, "pos.lite") == 403
    (seen,) = server.request("GET", "/api/break-glass", role=Role.VIEWER).json()["grants"]
    assert (seen["in_force"], seen["grant"]["reason"]) == (False, "nobody awake")
    assert [c["action"] for c in seen["changes"]] == ["set", "killed"]
    assert ("put_tenants", "PUT /api/tenants") in [(d["operation"], d["call"]) for d in seen["deeds"]]


def test_it_is_not_prolonged(server):
    grant = begin(server, minutes=1)
    assert set_shadow(server, "pos.lite") == 200
    answer = server.request("POST", "/api/break-glass", role=OPERATOR, json={"reason": "more", "minutes": 240})
    assert (answer.status_code, answer.json()["code"]) == (409, "break_glass_under_way")
    assert grant in answer.text


def test_it_makes_nobody_an_admin_for_good(server):
    begin(server)
    for role in ("admin", "operator"):
        body = {"name": f"mine-{role}", "role": role}
        made = server.request("POST", "/api/keys", role=OPERATOR, json=body)
        assert made.status_code == (403 if role == "admin" else 201)
    keys = server.request("GET", "/api/keys", role=OPERATOR).json()["keys"]
    (admin,) = (key["key_id"] for key in keys if key["role"] == "admin")
    assert server.request("POST", f"/api/keys/{admin}/rotate", role=OPERATOR, json={}).status_code == 403
    assert server.request("DELETE", f"/api/keys/{admin}", role=OPERATOR).status_code == 409


def test_somebody_else_reviews_it_once_it_is_over(server):
    grant = begin(server)
    review = f"/api/break-glass/{grant}/review"
    note = {"note": "fine"}
    assert server.request("POST", review, role=OPERATOR, json=note).status_code == 403
    assert server.request("POST", review, json=note).json()["code"] == "break_glass_under_way"
    assert server.request("GET", "/api/break-glass").json()["unreviewed"] == 0
    assert server.request("DELETE", f"/api/break-glass/{grant}").is_success
    assert server.request("GET", "/api/break-glass").json()["unreviewed"] == 1
    reviewed = server.request("POST", review, json=note).json()["grant"]
    assert reviewed["reviewed_by"].startswith("admin-")
    assert reviewed["review_note"] == "fine"
    assert server.request("GET", "/api/break-glass").json()["unreviewed"] == 0


def test_who_may_not_or_need_not(server):
    assert server.request("POST", "/api/break-glass", role=Role.VIEWER, json={"reason": "me too"}).status_code == 403
    assert server.request("POST", "/api/break-glass", role=ADMIN, json={"reason": "me too"}).status_code == 422
    assert server.request("POST", "/api/break-glass", role=OPERATOR, json={"minutes": 5}).status_code == 422
    too_long = {"reason": "weekend", "minutes": 4000}
    assert server.request("POST", "/api/break-glass", role=OPERATOR, json=too_long).status_code == 422
    assert server.request("DELETE", "/api/break-glass/glass-nope").status_code == 404
