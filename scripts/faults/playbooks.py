"""A server that is killed at each boundary between two steps of a playbook."""

from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from contextlib import closing

import httpx
import psycopg
from tests.server_process import ServerProcess, eventually

from faults.findings import findings
from faults.servers import SHORT_LEASE
from faults.traffic import Traffic
from faults.world import World, world

PLAYBOOK = """
name: kill_switch
description: Kill, then act outside once, then as often as it takes
steps:
  - {name: kill, title: Kill the flag, kind: flag, effect: kill, estimate_minutes: 1}
  - {name: once, title: Act once, kind: command, argv: [effect, once, "{flag}"], estimate_minutes: 1}
  - {name: again, title: Act again, kind: command, argv: [effect, again, "{flag}"], idempotent: true, estimate_minutes: 1}
  - {name: pause, title: Let time pass, kind: wait, minutes: 0.01, estimate_minutes: 1}
notices: []
verifications: []
"""
EFFECT = """#!{python}
import pathlib, sys
with open(pathlib.Path(__file__).parent / "effects", "a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
"""
STEPS = 4


def crash(store: str, trials: int, seed: int) -> dict[str, object]:
    """For each trial a flag is killed, and with it a playbook begun; its server is killed when so many steps are over, and started
    again. Each step is done once, or is uncertain where it acts outside and nobody can know; nothing is done twice that mustn't be."""
    with world(store) as here:
        (here.folder / "playbooks").mkdir()
        (here.folder / "playbooks" / "kill_switch.yaml").write_text(PLAYBOOK)
        effect = here.folder / "effect"
        effect.write_text(EFFECT.replace("{python}", sys.executable))
        effect.chmod(0o755)
        (here.folder / "response.toml").write_text(f'[programs]\neffect = "{effect}"\n')
        traffic = Traffic(here.urls, here.key, seed)
        server, endings, wrong = _start(here), Counter(), 0
        for trial in range(trials):
            flag, boundary = f"playbook.trial{trial}", trial % (STEPS + 1)
            _ask(server, here.key, "/api/flags", {"flag_name": flag, "default_state": "on"})
            reason = f"trial-{trial}"
            said = _ask(server, here.key, f"/api/flags/{flag}/kill", {"kill_reason": reason})
            traffic.acknowledged[reason] = said["change"]["change_id"]
            eventually(lambda flag=flag, boundary=boundary: _over(here, flag) >= boundary, 60, every=0.002)
            here.kill(server)
            server = _start(here)
            ending = eventually(lambda flag=flag: _ending(here, flag), 60)
            effects = (here.folder / "effects").read_text().splitlines()
            done = effects.count(f"once {flag}")
            endings[ending] += 1
            # Stopped means that somebody has to look, which is right only where it may have happened.
            wrong += done > 1 or (ending == "done" and (done != 1 or f"again {flag}" not in effects))
        return {**findings(here.store_url, traffic), "endings": dict(endings), "wrong": wrong, "kept": not wrong}


def _start(here: World) -> ServerProcess:
    folder = here.folder
    arguments = ("--playbooks", str(folder / "playbooks"), "--response", str(folder / "response.toml"))
    return here.start(*arguments, code=SHORT_LEASE.format(ttl=0.5))


def _ask(server: ServerProcess, key: str, path: str, body: dict[str, object]) -> dict[str, dict[str, int]]:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(server.url + path, json=body, headers=headers, timeout=20).raise_for_status().json()


def _over(here: World, flag: str) -> int:
    steps = "SELECT step.status FROM playbook_steps AS step JOIN playbook_runs AS run USING (run_id) WHERE flag_name = "
    return sum(status not in {"pending", "started"} for (status,) in _rows(here.store_url, f"{steps}'{flag}'"))


def _ending(here: World, flag: str) -> str | None:
    rows = _rows(here.store_url, f"SELECT status FROM playbook_runs WHERE flag_name = '{flag}'")
    return next((status for (status,) in rows if status not in {"pending", "running"}), None)


def _rows(store_url: str, sql: str) -> list[tuple[str]]:
    if store_url.startswith("sqlite:"):
        with closing(sqlite3.connect(store_url.removeprefix("sqlite:"), timeout=20)) as connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(store_url) as connection:
        return connection.execute(sql).fetchall()
