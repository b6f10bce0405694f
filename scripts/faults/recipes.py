"""Requests that can be carried out, for operations that chance alone never gets right.

Each recipe makes what its operation needs, with an admin's key, and returns the path parameters and the body that go with it. Who then
sends the request, and with which of the other parameters, is left to schemathesis.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import httpx

from faults.furnished import TENANT
from flagconsole.operations.checklist import CHECKLIST

#: So many flags that each has one of its own.
_numbers = count(1)


class Request(NamedTuple):
    """What makes a request one that can be carried out. ``version`` is the flag's, for ``If-Match``."""

    names: dict[str, str]
    body: dict[str, object] | None = None
    version: int | None = None
    query: dict[str, str] = {}  # noqa: RUF012  # never changed


class Kitchen:
    """Makes things on the server at ``url``."""

    def __init__(self, url: str, key: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=20)

    def make(self, method: str, path: str, body: object = None) -> Any:
        """One request, which must succeed."""
        answer = self._client.request(method, path, json=body)
        answer.raise_for_status()
        return answer.json()

    def flag(self) -> str:
        """The name of a new flag."""
        name = f"recipe.flag{next(_numbers)}"
        self.make("POST", "/api/flags", {"flag_name": name})
        return name

    def change(self, name: str, **fields: object) -> Any:
        """What a change of a flag answered."""
        return self.make("PUT", f"/api/flags/{name}", {**fields, "change_reason": "a recipe"})

    def rollout(self) -> str:
        """The name of a flag with a rollout in its first phase, whose checklist is ticked."""
        name = self.flag()
        self.make("PUT", f"/api/flags/{name}/checklist", {"items": list(CHECKLIST)})
        self.make("POST", f"/api/flags/{name}/rollout", {"start_reason": "a recipe"})
        return name


def _approve(kitchen: Kitchen) -> Request:
    waiting = kitchen.make("GET", "/api/approvals")["approvals"]
    return Request({"approval_id": next(one["approval_id"] for one in waiting if one["used_at"] is None)})


def _roll_back_several(kitchen: Kitchen) -> Request:
    done = [kitchen.change(kitchen.flag(), current_state="shadow")["change"]["change_id"] for _ in range(2)]
    return Request({}, {"rollback_reason": "a recipe", "change_ids": done})


def _set_several(kitchen: Kitchen) -> Request:
    changes = [{"flag_name": kitchen.flag(), "current_state": state} for state in ("on", "shadow")]
    return Request({}, {"change_reason": "a recipe", "changes": changes})


def _draw(kitchen: Kitchen) -> Request:
    return Request({"name": kitchen.flag()}, {"change_reason": "a recipe", "percentage": 10, "seed": 1})


def _drawn(kitchen: Kitchen) -> Request:
    drawn = _draw(kitchen)
    kitchen.make("POST", f"/api/flags/{drawn.names['name']}/cohort", drawn.body)
    return Request(drawn.names)


def _revive(kitchen: Kitchen) -> Request:
    name = kitchen.flag()
    killed = kitchen.make("POST", f"/api/flags/{name}/kill", {"kill_reason": "a recipe"})
    return Request({"name": name}, {"revive_reason": "a recipe"}, killed["flag"]["version"])


def _promote(kitchen: Kitchen) -> Request:
    name = kitchen.rollout()
    version = kitchen.make("GET", f"/api/flags/{name}")["flag"]["version"]
    return Request({"name": name}, {"promote_reason": "a recipe", "past_verdict": True}, version)


def _schedule(kitchen: Kitchen) -> Request:
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    return Request({"name": kitchen.flag()}, {"change_reason": "a recipe", "current_state": "off", "at": at})


def _cancel(kitchen: Kitchen) -> Request:
    asked = _schedule(kitchen)
    made = kitchen.make("POST", f"/api/flags/{asked.names['name']}/schedules", asked.body)
    return Request({"schedule_id": made["schedule"]["schedule_id"]}, {})


def _confirm(kitchen: Kitchen) -> Request:
    """A manual step, as ``furnished`` has one in the playbook."""
    name = kitchen.flag()
    kitchen.change(name, current_state="on")
    begun = kitchen.make(
        "POST", f"/api/flags/{name}/playbook", {"playbook_reason": "a recipe", "playbook_name": "immediate"}
    )
    incident_id = begun["incident"]["incident_id"]
    for _ in range(200):
        run = kitchen.make("GET", f"/api/incidents/{incident_id}")["incident"]["run"]
        if any((step["step"], step["status"]) == ("look", "started") for step in run["steps"]):
            break
        time.sleep(0.1)
    return Request({"incident_id": incident_id, "step": "look"}, {"done": True, "note": "a recipe"})


def _try_again(kitchen: Kitchen) -> Request:
    """A message to the subscription that nobody answers for."""
    found = kitchen.make("GET", "/api/notifications")["notifications"]
    return Request({"notification_id": next(one["notification_id"] for one in found if one["status"] != "delivered")})


def _send_trial(kitchen: Kitchen) -> Request:
    return Request({"subscription": kitchen.make("GET", "/api/notifications")["subscriptions"][0]["name"]})


def _apply(kitchen: Kitchen) -> Request:
    wanted = {"flags": [{"flag_name": kitchen.flag(), "description": "as the file says"}]}
    plan = kitchen.make("POST", "/api/plan", {"environment": wanted})
    return Request({}, {"environment": wanted, "plan_hash": plan["plan_hash"], "change_reason": "a recipe"})


def _remove_override(kitchen: Kitchen) -> Request:
    """Of the tenant that keys are bound to, whom nobody needs to name."""
    name = kitchen.flag()
    body = {"override_state": "on", "override_reason": "a recipe", "tenant_id": TENANT}
    kitchen.make("PUT", f"/api/flags/{name}/override", body)
    return Request({"name": name}, query={"tenant_id": TENANT, "override_reason": "a recipe"})


def _resume(kitchen: Kitchen) -> Request:
    name = kitchen.rollout()
    kitchen.make("POST", f"/api/flags/{name}/rollout/hold", {"hold_reason": "a recipe"})
    return Request({"name": name}, {"resume_reason": "a recipe"})


RECIPES: dict[str, Callable[[Kitchen], Request]] = {
    "DELETE /api/flags/{name}/override": _remove_override,
    "GET /api/flags/{name}/cohort": _drawn,
    "POST /api/apply": _apply,
    "POST /api/approvals/{approval_id}/approve": _approve,
    "POST /api/break-glass": lambda _: Request({}, {"reason": "a recipe", "minutes": 5}),
    "POST /api/bulk/rollback": _roll_back_several,
    "POST /api/bulk/set": _set_several,
    "POST /api/flags/{name}/cohort": _draw,
    "POST /api/flags/{name}/replay": lambda kitchen: Request({"name": kitchen.rollout()}, {}),
    "POST /api/flags/{name}/revive": _revive,
    "POST /api/flags/{name}/rollout/abort": lambda kitchen: Request(
        {"name": kitchen.rollout()}, {"abort_reason": "a recipe"}
    ),
    "POST /api/flags/{name}/rollout/hold": lambda kitchen: Request(
        {"name": kitchen.rollout()}, {"hold_reason": "a recipe"}
    ),
    "POST /api/flags/{name}/rollout/promote": _promote,
    "POST /api/flags/{name}/rollout/resume": _resume,
    "POST /api/flags/{name}/schedules": _schedule,
    "POST /api/incidents/{incident_id}/steps/{step}/confirm": _confirm,
    "POST /api/notifications/{notification_id}/retry": _try_again,
    "POST /api/schedules/{schedule_id}/cancel": _cancel,
    "POST /api/subscriptions/{subscription}/test": _send_trial,
    "PUT /api/flags/{name}/checklist": lambda kitchen: Request({"name": kitchen.flag()}, {"items": [CHECKLIST[0]]}),
}
