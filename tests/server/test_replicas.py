"""Several servers on one database, each a process of its own: what one does, all show, and only one leads."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import httpx
import psycopg
import pytest

from flagconsole.client import Client, Stream
from flagconsole.client.frames import ChangeFrame
from flagconsole.domain.errors import ReplicaBehind
from flagconsole.domain.requests import FlagCreate, FlagUpdate, KeyCreate, Kill
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.sdk import FlagClient
from flagconsole.store import open_store

from ..fake_server import until
from ..server_process import ServerProcess, eventually

#: Seconds; the real one is longer, and all else the same.
TTL = 2.0
SHORT_LEASE = (
    "import flagconsole.rollout.lease as lease; "
    f"lease.TTL_SECONDS = {TTL}; lease.Leadership.__init__.__kwdefaults__['ttl_seconds'] = {TTL}; "
    "from flagconsole.cli.main import main; main()"
)
PLAYBOOK = """
name: kill_switch
description: Kill, then act outside
steps:
  - {name: kill, title: Kill the flag, kind: flag, effect: kill, estimate_minutes: 1}
  - {name: act, title: Act outside, kind: command, argv: [effect, "{flag}"], timeout_seconds: 120, estimate_minutes: 1}
notices: []
verifications: []
"""
#: What is done outside can't be undone: it leaves a mark, and takes until it is told to end.
EFFECT = """#!{python}
import pathlib, sys, time
folder = pathlib.Path(__file__).parent
with open(folder / "effects", "a") as file:
    file.write(sys.argv[1] + "\\n")
while not (folder / "go").exists():
    time.sleep(0.02)
"""


class Fleet:
    """Two servers on one database."""

    def __init__(self, store_url: str, folder: Path) -> None:
        self.store_url = store_url
        self.folder = folder
        self.key, self.sdk_key = asyncio.run(self._keys())
        (folder / "playbooks").mkdir()
        (folder / "playbooks" / "kill_switch.yaml").write_text(PLAYBOOK)
        effect = folder / "effect"
        effect.write_text(EFFECT.replace("{python}", sys.executable))
        effect.chmod(0o755)
        (folder / "response.toml").write_text(f'[programs]\neffect = "{effect}"\n')
        arguments = ("--playbooks", str(folder / "playbooks"), "--response", str(folder / "response.toml"))
        self.servers = [ServerProcess(store_url, *arguments, code=SHORT_LEASE) for _ in range(2)]
        for server in self.servers:
            server.wait()

    async def _keys(self) -> tuple[str, str]:
        store = await open_store(self.store_url)
        operations = Operations(store)
        made = [
            (await operations.create_key(SYSTEM, KeyCreate(name=role.value, role=role))).secret
            for role in (Role.ADMIN, Role.SDK)
        ]
        await store.close()
        return made[0], made[1]

    def client(self, number: int, **options) -> Client:
        return Client(self.servers[number].url, self.key, **options)

    def rows(self, sql: str):
        with psycopg.connect(self.store_url) as connection:
            return connection.execute(sql).fetchall()

    def end(self) -> None:
        for server in self.servers:
            server.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def fleet(postgres, tmp_path_factory) -> Iterator[Fleet]:
    made = Fleet(postgres(), tmp_path_factory.mktemp("fleet"))
    yield made
    made.end()


async def test_a_change_through_any_is_streamed_by_all_and_read_from_all(fleet):
    async with fleet.client(0) as one, fleet.client(1) as two:
        created = await one.create(FlagCreate(flag_name="a.stream"))
        stream = Stream(two.url, fleet.key, position=lambda: (created.epoch, created.revision))
        async with aclosing(stream.events()) as events, asyncio.timeout(30):
            changes = []
            for number in range(1, 11):
                body = FlagUpdate(change_reason="x", current_state=FlagState.CANARY, canary_percentage=number)
                changed = await (one, two)[number % 2].update("a.stream", body)
                # The other one has it the moment that it is asked by somebody who knows of it.
                (two, one)[number % 2]._caller.position = (changed.epoch, changed.revision)
                seen = await (two, one)[number % 2].flag("a.stream")
                assert seen.flag.canary_percentage == number
            async for event in events:
                if isinstance(event, ChangeFrame):
                    changes.append(event.revision)
                if changes and changes[-1] == created.revision + 10:
                    break
        assert changes == list(range(created.revision + 1, created.revision + 11))


async def test_who_knows_more_than_the_database_is_told_so_and_asks_again(fleet):
    async with fleet.client(0) as client:
        status = await client.status()
        ahead = f"{status.epoch}:{status.revision + 1}"
        headers = {"X-Flagconsole-Position": ahead, "Authorization": f"Bearer {fleet.key}"}
        answer = httpx.get(f"{client.url}/api/flags", headers=headers, timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (503, "replica_behind")
        client._caller.position = (status.epoch, status.revision + 1)
        asking = asyncio.create_task(client.status())
        await asyncio.sleep(0)
        async with fleet.client(1) as other:
            await other.create(FlagCreate(flag_name="a.ahead"))
        assert (await asking).revision == status.revision + 1
        client._caller.position = (status.epoch, status.revision + 100)
        with pytest.raises(ReplicaBehind):
            await client.status()


async def test_receipts_given_to_one_are_known_by_the_other(fleet, tmp_path):
    sdk = FlagClient(fleet.servers[1].url, fleet.sdk_key, "sdk-on-two", service="test", cache_dir=tmp_path)
    try:
        async with fleet.client(0) as client:
            await client.create(FlagCreate(flag_name="a.receipt", default_state=FlagState.ON))
            until(lambda: sdk.state("a.receipt", "t") is FlagState.ON, 30)
            # An override without a playbook behind it: what is told here is who has confirmed.
            off = await client.update("a.receipt", FlagUpdate(change_reason="x", current_state=FlagState.OFF))
            async with asyncio.timeout(30):
                while True:
                    told = await client.instances(off.revision)
                    confirmed = [one.instance_id for one in told.instances if one.confirms(off.epoch, off.revision)]
                    if "sdk-on-two" in confirmed:
                        break
                    await asyncio.sleep(0.02)
        assert sdk.state("a.receipt", "t") is FlagState.OFF
    finally:
        sdk.close()


async def test_a_key_revoked_through_one_ends_its_streams_at_the_other(fleet):
    async with fleet.client(0) as client:
        made = await client.create_key(KeyCreate(name="short-lived", role=Role.VIEWER))
        headers = {"Authorization": f"Bearer {made.secret}"}
        async with (
            httpx.AsyncClient(timeout=30) as http,
            http.stream("GET", f"{fleet.servers[1].url}/api/stream", headers=headers) as answer,
        ):
            lines = answer.aiter_lines()
            await anext(lines)
            began = time.monotonic()
            await client.revoke_key(made.api_key.key_id)
            assert "key revoked" in "".join([line async for line in lines])
            assert time.monotonic() - began < 15
        assert httpx.get(f"{fleet.servers[1].url}/api/flags", headers=headers, timeout=20).status_code == 401


def test_a_leader_that_was_stopped_in_the_middle_of_a_step_is_replaced_and_writes_nothing_when_it_comes_back(fleet):
    def lease():
        return fleet.rows("SELECT holder, epoch FROM leases")[0]

    def step():
        found = fleet.rows("SELECT status, body FROM playbook_steps WHERE step = 'act'")
        return found[0][0] if found else None

    def run():
        return fleet.rows("SELECT status FROM playbook_runs")[0][0]

    asyncio.run(_kill(fleet, "a.leader"))
    assert eventually(lambda: (fleet.folder / "effects").exists())
    leader_epoch = lease()[1]
    # Whoever has the effect's process as its child leads.
    leader = next(server for server in fleet.servers if _children(server.process.pid))
    other = next(server for server in fleet.servers if server is not leader)
    leader.send(signal.SIGSTOP)
    stopped = time.monotonic()
    eventually(lambda: lease()[1] > leader_epoch)
    assert time.monotonic() - stopped < 2 * TTL + 5, "the machine of this test may be busy; the promise is 2×TTL"
    # It can't know whether the step was done, so a person is asked.
    eventually(lambda: run() == "stopped")
    assert step() == "uncertain"
    kept = fleet.rows("SELECT run_id, step, status, body FROM playbook_steps ORDER BY run_id, ordinal")
    (fleet.folder / "go").touch()
    leader.send(signal.SIGCONT)
    # It answers again, from the newest state, and finds that it leads no more.
    assert leader.ask("GET", "/api/flags/a.leader", fleet.key).json()["flag"]["current_state"] == "kill"
    eventually(lambda: not _children(leader.process.pid))
    # What it would write of the step, it writes right after its child has ended; these requests are served after that.
    assert all(leader.ask("GET", "/health", fleet.key).json()["ready"] for _ in range(20))
    assert fleet.rows("SELECT run_id, step, status, body FROM playbook_steps ORDER BY run_id, ordinal") == kept
    assert (fleet.folder / "effects").read_text() == "a.leader\n"
    assert other.ask("GET", "/health", fleet.key).json()["ready"]


async def _kill(fleet: Fleet, name: str) -> None:
    async with fleet.client(0) as client:
        await client.create(FlagCreate(flag_name=name, default_state=FlagState.ON))
        await client.kill(name, Kill(kill_reason="bad"))


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
