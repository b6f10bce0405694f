"""Kills at the same moment as everything else that can be done to a flag."""

from __future__ import annotations

import random
import threading

import httpx

from faults.findings import findings
from faults.traffic import Traffic
from faults.world import FLAGS, world

TENANT = "tenant-1"


def races(store: str, trials: int, seed: int) -> dict[str, object]:
    """Each trial makes a flag and does everything to it at once, through two servers (one on SQLite), kills it twice among that, and looks
    whether it ends killed with one entry for the kill. A flag that doesn't counts as lost, a second entry as done twice."""
    dice = random.Random(seed)
    alive = repeated = 0
    with world(store) as here:
        servers = [here.start() for _ in range(1 if store == "sqlite" else 2)]
        headers = {"Authorization": f"Bearer {here.key}"}
        clients = [httpx.Client(base_url=dice.choice(servers).url, headers=headers, timeout=30) for _ in range(8)]
        for number in range(trials):
            name = f"race.flag{number}"
            clients[0].post("/api/flags", json={"flag_name": name}).raise_for_status()
            asked = _asked(name)
            dice.shuffle(asked)
            together = threading.Barrier(len(asked))
            answers: list[httpx.Response] = []
            threads = [
                threading.Thread(target=_ask, args=(answers, client, together, *one), daemon=True)
                for client, one in zip(clients, asked, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            state = _state(clients[0], name, answers)
            changes = clients[0].get(f"/api/flags/{name}/history").json()["changes"]
            alive += state != "kill"
            repeated += sum(change["change_type"] == "kill_switch" for change in changes) != 1
        for client in clients:
            client.close()
        found = findings(here.store_url, Traffic(here.urls, here.key, seed))
        return {**found, "acknowledged": trials, "lost": alive, "duplicated": repeated}


def _asked(name: str) -> list[tuple[str, str, dict[str, object]]]:
    path = f"/api/flags/{name}"
    return [
        ("POST", f"{path}/kill", {"kill_reason": "one"}),
        ("POST", f"{path}/kill", {"kill_reason": "another"}),
        ("PUT", path, {"current_state": "on", "change_reason": "race"}),
        ("PUT", path, {"current_state": "canary", "canary_percentage": 50, "change_reason": "race"}),
        ("PUT", f"{path}/override", {"override_state": "on", "override_reason": "race", "tenant_id": TENANT}),
        ("POST", f"{path}/rollback", {"rollback_reason": "race", "allow_raise": True}),
        ("POST", f"{path}/rollout", {"start_reason": "race"}),
        (
            "POST",
            "/api/bulk/set",
            {
                "change_reason": "race",
                "changes": [{"flag_name": name, "current_state": "on"}, {"flag_name": FLAGS[0], "description": name}],
            },
        ),
    ]


def _ask(
    answers: list[httpx.Response],
    client: httpx.Client,
    together: threading.Barrier,
    method: str,
    path: str,
    body: dict[str, object],
) -> None:
    together.wait()
    answers.append(client.request(method, path, json=body))


def _state(client: httpx.Client, name: str, answers: list[httpx.Response]) -> str:
    """The flag's state, from a server that knows of all that was answered: another may be a moment behind."""
    killed = [answer for answer in answers if answer.request.url.path.endswith("/kill")]
    assert [answer.is_success for answer in killed] == [True, True], [answer.text for answer in killed]
    said = [answer.json() for answer in answers if answer.is_success]
    epoch, revision = max((one["epoch"], one["revision"]) for one in said if "revision" in one)
    while True:
        read = client.get(f"/api/flags/{name}", headers={"X-Flagconsole-Position": f"{epoch}:{revision}"})
        if read.status_code != 503:
            return read.raise_for_status().json()["flag"]["current_state"]
