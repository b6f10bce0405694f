"""A store with one thing of each kind in it, so that random requests get as far as the store."""

from __future__ import annotations

from typing import NamedTuple

from faults.world import FLAGS, World

TENANT = "tenant-0042"
#: So many flags that some are left when others have been archived.
SPARE_FLAGS = tuple(f"fuzz.flag{number}" for number in range(60))


class Furnished(NamedTuple):
    """The keys' secrets by the names of their owners, and what path parameters can name."""

    keys: dict[str, str | None]
    #: Not to be rotated or revoked by the requests that carry them.
    key_ids: list[str]
    names: dict[str, list[str]]


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
        {"tenants": [{"tenant_id": TENANT, "risk_score": 0.1, "beta_participant": True, "users": 3}]},
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
            "step": ["verification_1"],
            "grant_id": [grant["grant"]["grant_id"]],
            "key_id": [spare["api_key"]["key_id"]],
            "instance_id": ["instance-1"],
        },
    )
