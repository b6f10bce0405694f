"""Three SDKs on a real server in a process of its own, which is stopped, killed and started again, behind a cutting proxy."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flagconsole.client import Client
from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.evaluation import Reason
from flagconsole.domain.requests import FlagCreate, FlagUpdate, KeyCreate, Kill, Revive
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState
from flagconsole.sdk import FlagClient, Health

from ..fake_server import until
from ..proxy import CuttingProxy
from .watcher import Watcher


class ServerProcess:
    """``flagconsole serve`` on one store and one port, as often as it is started."""

    def __init__(self, folder: Path) -> None:
        self._store = folder / "flags.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def key(self) -> str:
        return Path(f"{self._store}.admin-key").read_text().strip()

    def start(self) -> None:
        serve = "from flagconsole.server.run import serve; import sys; serve(sys.argv[1], port=int(sys.argv[2]))"
        self._process = subprocess.Popen(
            [sys.executable, "-c", serve, f"sqlite:{self._store}", str(self.port)], stderr=subprocess.PIPE, text=True
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if re.match("listening on", line):
                return
        pytest.fail("the server did not start")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            process.send_signal(how)
            process.communicate(timeout=20)


@pytest.fixture
def process(tmp_path):
    made = ServerProcess(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Shorter waits between attempts, but not none as in the other tests: real processes need some time themselves."""
    monkeypatch.setattr("flagconsole.client.backoff.Backoff.next", lambda self, least=0.0: random.random() * 0.3)


async def test_no_sdk_ever_shows_an_older_revision(process, tmp_path):
    dice = random.Random(20261123)
    with CuttingProxy(process.port, seed=7) as proxy:
        clients = [
            FlagClient(proxy.url, process.key, f"sdk-{number}", service="test", cache_dir=tmp_path / f"cache-{number}")
            for number in range(3)
        ]
        try:
            async with Client(process.url, process.key) as admin:
                await admin.create(FlagCreate(flag_name="a.b", default_state=FlagState.ON))
                with Watcher(clients[0]) as one, Watcher(clients[1]) as two, Watcher(clients[2]) as three:
                    for step in range(40):
                        if step in (12, 26):
                            process.stop(signal.SIGTERM if step == 12 else signal.SIGKILL)
                            process.start()
                        state = dice.choice((FlagState.OFF, FlagState.SHADOW, FlagState.ON))
                        await admin.update("a.b", FlagUpdate(change_reason=f"step {step}", current_state=state))
                        if step % 8 == 0:
                            until(lambda: any(client.status.revision >= 0 for client in clients))
                    cuts = proxy.cuts
                    proxy.cutting = False
                    killed = await admin.kill("a.b", Kill(kill_reason="the end of the test"))
                    for client in clients:
                        until(lambda asked=client: asked.state("a.b", "t") is FlagState.KILL, 45)
                        until(lambda asked=client: asked.status.health is Health.READY, 45)
                assert [client.status.revision for client in clients] == [killed.revision] * 3
                assert [watcher.backwards for watcher in (one, two, three)] == [[], [], []]
                assert cuts > 3, "the proxy did its work"
                for client in clients:
                    until(lambda asked=client: asked.status.problem is None, 20)
                async with asyncio.timeout(30):
                    while (await admin.instances(killed.revision)).confirmed < 3:
                        await asyncio.sleep(0.02)
        finally:
            for client in clients:
                client.request_close()
            for client in clients:
                client.close()


async def test_a_kill_reaches_the_service_and_its_receipt_the_server(process, tmp_path):
    async with Client(process.url, process.key) as admin:
        await admin.create(FlagCreate(flag_name="a.b", default_state=FlagState.ON))
        with FlagClient(process.url, process.key, "sdk-0", service="test", cache_dir=tmp_path / "cache") as client:
            assert client.wait_ready(20)
            assert client.is_enabled("a.b", "t")
            killed = await admin.kill("a.b", Kill(kill_reason="stop"))
            until(lambda: client.state("a.b", "t") is FlagState.KILL)
            until(lambda: client.status.counters.receipts_sent == 2)
            listed = await admin.instances(killed.revision)
            assert (listed.expected, listed.confirmed) == (1, 1)
            assert listed.instances[0].sdk_version.startswith("python-")
        assert (await admin.instances()).expected == 0, "it said goodbye"


async def test_a_restarted_service_confirms_again_and_the_server_remembers(process, tmp_path):
    """Server and service go away; the service comes back first and serves the kill; then both agree again."""
    async with Client(process.url, process.key) as admin:
        made = await admin.create(FlagCreate(flag_name="a.b", default_state=FlagState.ON))
        key = process.key
        with FlagClient(process.url, key, "sdk-0", service="test", cache_dir=tmp_path / "cache") as client:
            assert client.wait_ready(20)
            killed = await admin.kill("a.b", Kill(kill_reason="stop"))
            until(lambda: client.status.revision == killed.revision)
        process.stop()
        with FlagClient(process.url, key, "sdk-0", service="test", cache_dir=tmp_path / "cache") as client:
            assert client.state("a.b", "t") is FlagState.KILL
            with pytest.raises(FlagConsoleError):
                await admin.status()
            process.start()
            until(lambda: client.status.health is Health.READY and client.status.contact_age is not None, 45)
            revived = await admin.revive("a.b", Revive(revive_reason="fixed"), version=killed.flag.version)
            until(lambda: client.status.revision == revived.revision, 45)
            assert client.state("a.b", "t") is FlagState.OFF
    assert made.revision < killed.revision < revived.revision


async def test_with_a_tenants_key_the_tenant_gets_the_same_answers_and_nobody_else_any(process, tmp_path):
    flags = ("a.on", "a.chosen", "a.drawn", "a.below")
    async with Client(process.url, process.key) as admin:
        for name in flags:
            needs = ("a.chosen",) if name == "a.below" else ()
            await admin.create(FlagCreate(flag_name=name, default_state=FlagState.ON, dependencies=needs))
        canary = FlagUpdate(change_reason="x", current_state=FlagState.CANARY, canary_tenant_ids=("other", "own"))
        await admin.update("a.chosen", canary)
        await admin.update("a.drawn", canary.model_copy(update={"canary_holdout_ids": ("t-1", "t-2")}))
        made = await admin.create_key(KeyCreate(name="theirs", role=Role.SDK, tenant_id="own"))
        with (
            FlagClient(process.url, made.secret, "own-0", cache_dir=tmp_path / "own") as own,
            FlagClient(process.url, process.key, "all-0", cache_dir=tmp_path / "all") as everybody,
        ):

            def alike():
                revision = everybody.status.revision
                answers = [[client.evaluate(name, "own") for name in flags] for client in (own, everybody)]
                return own.status.revision == revision == changed.revision and answers[0] == answers[1]

            assert own.wait_ready(20)
            assert everybody.wait_ready(20)
            assert own.is_enabled("a.below", "own")
            assert own.evaluate("a.on", "other").reason is Reason.FLAG_NOT_FOUND
            changed = await admin.update("a.chosen", canary.model_copy(update={"canary_tenant_ids": ("other",)}))
            until(alike)
            assert not own.is_enabled("a.below", "own")
            assert everybody.is_enabled("a.below", "other")
            assert not own.is_enabled("a.chosen", "other")
            process.stop(signal.SIGKILL)
            process.start()
            changed = await admin.kill("a.on", Kill(kill_reason="stop"))
            until(alike, 45)
            assert own.state("a.on", "other") is FlagState.KILL
            async with asyncio.timeout(30):
                while (await admin.instances(changed.revision)).confirmed < 2:
                    await asyncio.sleep(0.02)
        process.stop()
        with FlagClient(process.url, made.secret, "own-1", cache_dir=tmp_path / "own") as offline:
            # What was kept on disk is the tenant's too.
            assert offline.state("a.drawn", "own") is FlagState.CANARY
            assert offline.evaluate("a.drawn", "other").reason is Reason.FLAG_NOT_FOUND
