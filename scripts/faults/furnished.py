"""A store with one thing of each kind in it, so that random requests get as far as the store."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import NamedTuple

from faults.world import FLAGS, World
from flagconsole.domain.errors import ApprovalRequired
from flagconsole.domain.requests import FlagUpdate
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import Operations
from flagconsole.store import open_store

TENANT = "tenant-0042"
#: So many tenants that a cohort can be drawn from them.
TENANTS = tuple(f"tenant-{number:04}" for number in range(40, 80))
#: So many flags that some are left when others have been archived.
SPARE_FLAGS = tuple(f"fuzz.flag{number}" for number in range(60))


#: A destination where nobody listens, so that there are messages to be tried again.
_RESPONSE = """private_hosts = ["127.0.0.1"]
[destinations.nobody]
url = "https://127.0.0.1:9/hook"
[subscriptions.all]
destination = "nobody"
"""
#: A playbook that waits for a person at once.
_IMMEDIATE = """name: immediate
description: Disable the flag, and let a person look
steps:
  - {name: disable, title: Disable the flag, kind: flag, effect: "off", estimate_minutes: 1}
  - {name: look, title: Look, kind: manual, text: Is it off, estimate_minutes: 1}
"""


class Furnished(NamedTuple):
    """The keys' secrets by the names of their owners, and what path parameters can name."""

    keys: dict[str, str | None]
    #: Not to be rotated or revoked by the requests that carry them.
    key_ids: list[str]
    names: dict[str, list[str]]
    #: Where it is, and an admin's key that no request carries, for ``recipes``.
    url: str
    admin: str


def serving(here: World) -> tuple[str, ...]:
    """What the server is started with, so that it has playbooks, destinations and subscriptions."""
    playbooks, response = here.folder / "playbooks", here.folder / "response.toml"
    playbooks.mkdir()
    (playbooks / "immediate.yaml").write_text(_IMMEDIATE)
    response.write_text(_RESPONSE)
    return ("--playbooks", str(playbooks), "--response", str(response))


async def _ask_for_approvals(store_url: str) -> None:
    """Requests that wait for a second person, as an environment that asks for one has them."""
    store = await open_store(store_url)
    try:
        strict = Operations(store, requires_approvals=True)
        for name in SPARE_FLAGS[::4][:5]:
            with suppress(ApprovalRequired):
                asked = FlagUpdate(change_reason="may I", current_state=FlagState.ON)
                somebody = Actor(name="somebody", role=Role.ADMIN, key_id="nobodys")
                await strict.update(somebody, name, asked, version=2)
    finally:
        await store.close()


def furnished(here: World, roles: dict[str, tuple[str, bool] | None]) -> Furnished:
    """Make keys for the roles, a tenant, an incident, a rollout, a grant and a key that is nobody's."""
    server = here.servers[0]

    def make(method: str, path: str, body: object, key: str = here.key) -> dict:
        answer = server.ask(method, path, key, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    keys: dict[str, str | None] = {}
    for name, role in roles.items():
        keys[name] = None
        if role is not None:
            body = {"name": name, "role": role[0], "tenant_id": TENANT if role[1] else None}
            made = make("POST", "/api/keys", body)
            keys[name] = made["secret"]
    make(
        "PUT",
        "/api/tenants",
        {"tenants": [{"tenant_id": name, "risk_score": 0.1, "beta_participant": True, "users": 3} for name in TENANTS]},
    )
    for number, name in enumerate(SPARE_FLAGS):
        make("POST", "/api/flags", {"flag_name": name, "change_reason": "to be sent requests about"})
        state = {"current_state": ("off", "shadow", "canary", "on")[number % 4], "canary_percentage": 10}
        make("PUT", f"/api/flags/{name}", {**state, "change_reason": "a state of each kind"})
    make("PUT", f"/api/flags/{FLAGS[0]}", {"current_state": "on", "change_reason": "to be rolled back"})
    incident = make(
        "POST", f"/api/flags/{FLAGS[0]}/playbook", {"playbook_reason": "errors", "playbook_name": "immediate"}
    )
    make("POST", f"/api/flags/{FLAGS[1]}/rollout", {"start_reason": "begin"})
    asyncio.run(_ask_for_approvals(here.store_url))
    approvals = make("GET", "/api/approvals", None)["approvals"]
    operator = make("POST", "/api/keys", {"name": "ops", "role": "operator"})
    grant = make("POST", "/api/break-glass", {"reason": "the night"}, operator["secret"])
    key_ids = [key["key_id"] for key in server.ask("GET", "/api/keys", here.key).json()["keys"]]
    spare = make("POST", "/api/keys", {"name": "spare", "role": "viewer"})
    return Furnished(
        keys,
        key_ids,
        {
            "name": [*FLAGS, *SPARE_FLAGS],
            "key": [*FLAGS, *SPARE_FLAGS],
            "incident_id": [incident["incident"]["incident_id"]],
            "step": ["look", "verification_1"],
            "approval_id": [approval["approval_id"] for approval in approvals],
            "grant_id": [grant["grant"]["grant_id"]],
            "key_id": [spare["api_key"]["key_id"]],
            "instance_id": ["instance-1"],
        },
        server.url,
        here.key,
    )
