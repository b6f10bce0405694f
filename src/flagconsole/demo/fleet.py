"""The demo's processes: one server on a store in a temporary folder, and four services with three instances each."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from flagconsole.demo.fault import Fault
from flagconsole.demo.folder import DemoFolder, demo_folder
from flagconsole.demo.running import announced
from flagconsole.demo.service import ServiceSettings
from flagconsole.demo.services import INSTANCES, INSTANCES_PER_SERVICE, OPERATIONS_PER_SECOND, SERVICES, services_of
from flagconsole.demo.talk import Tell, silence
from flagconsole.demo.tenants import tenant_records
from flagconsole.demo.world import build
from flagconsole.domain.errors import StoreUnavailable
from flagconsole.rollout.playbook_file import demo_playbook_texts
from flagconsole.server.key_file import key_file_of

_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 3.0
#: Tasks that only their own loop would keep alive otherwise.
drains: set[asyncio.Task[None]] = set()


class Fleet(NamedTuple):
    """A running demo: where its server is, an admin key for it, its temporary folder, its server, and its services by
    name."""

    url: str
    api_key: str
    folder: str
    server: asyncio.subprocess.Process
    services: dict[str, asyncio.subprocess.Process]

    async def report(self, feature: str) -> list[dict[str, Any]]:
        """What every service says of a feature (see ``service.report``)."""
        return list(await asyncio.gather(*(_ask(one, f"report {feature}") for one in self.services.values())))

    async def strike(self, fault: Fault) -> None:
        """Let a fault happen in the services that use its flag. Raises ``StoreUnavailable`` when one heard of it too late for
        the fault's moment to be true."""
        told = [self.services[name] for name in services_of(fault.flag_name)]
        answers = await asyncio.gather(*(_ask(one, f"fault {fault.to_json()}") for one in told))
        if not all(answer["in_time"] for answer in answers):
            raise StoreUnavailable(problem="a service of the demo was too busy to be told of its fault in time")


@asynccontextmanager
async def running_fleet(seed: int, *, auto_rollback: bool = True, tell: Tell = silence) -> AsyncIterator[Fleet]:
    """Start everything in a temporary folder, telling of each step; end everything and remove the folder on the way out."""
    with demo_folder() as folder:
        store_path = str(folder.path / "demo.db")
        tell("writing three weeks of history: 27 flags, 500 tenants, 3 rollouts")
        processes: list[asyncio.subprocess.Process] = []
        try:
            service_key = await build(f"sqlite:{store_path}", seed, auto_rollback=auto_rollback)
            tell("starting the server")
            server, url = await _start_server(store_path, folder, processes)
            tell(f"server at {url}; starting {INSTANCES} instances of {len(SERVICES)} services")
            services = {}
            for name in SERVICES:
                services[name] = await _start_service(name, url, service_key, folder, seed, processes)
            with announced(f"sqlite:{store_path}", tell):
                api_key = key_file_of(f"sqlite:{store_path}").read_text().strip()
                yield Fleet(url, api_key, str(folder.path), server, services)
        finally:
            tell("ending the services and the server")
            await _stop(processes)


def _write_playbooks(folder: Path) -> Path:
    """Playbooks that take a minute instead of an hour, in a folder for the server."""
    playbooks = folder / "playbooks"
    playbooks.mkdir()
    for name, text in demo_playbook_texts().items():
        (playbooks / name).write_text(text, encoding="utf-8")
    return playbooks


async def _spawned(
    processes: list[asyncio.subprocess.Process], *command: str, **options: Any
) -> asyncio.subprocess.Process:
    """Start a process and note it in ``processes``, so that it is ended with them even if we are interrupted meanwhile."""
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, start_new_session=True, **options))
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        processes.append(await starting)
        raise
    processes.append(process)
    return process


async def _start_server(
    store_path: str, folder: DemoFolder, processes: list[asyncio.subprocess.Process]
) -> tuple[asyncio.subprocess.Process, str]:
    arguments = ("serve", "--store", f"sqlite:{store_path}", "--host", "127.0.0.1", "--port", "0")
    process = await _spawned(
        processes,
        *(sys.executable, "-m", "flagconsole", *arguments, "--environment", "demo", "--end-with-stdin"),
        *("--playbooks", str(_write_playbooks(folder.path))),
        cwd=folder.path,
        pass_fds=(folder.lock,),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            while line := await process.stderr.readline():
                said += line
                if line.startswith(b"listening on "):
                    # Keep reading what it says, or a full pipe would stop it.
                    drains.add(asyncio.create_task(_drain(process.stderr)))
                    return process, line.removeprefix(b"listening on ").decode().strip()
    raise StoreUnavailable(problem=f"the demo's server did not start: {said.decode(errors='replace').strip()}")


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


async def _start_service(
    name: str,
    url: str,
    service_key: str,
    folder: DemoFolder,
    seed: int,
    processes: list[asyncio.subprocess.Process],
) -> asyncio.subprocess.Process:
    settings = ServiceSettings(
        url=url,
        api_key=service_key,
        service=name,
        instances=INSTANCES_PER_SERVICE,
        features=tuple(SERVICES[name]),
        weights=tuple(SERVICES[name].values()),
        tenants=tuple(tenant.tenant_id for tenant in tenant_records(seed)),
        operations_per_second=OPERATIONS_PER_SECOND,
        cache_dir=str(folder.path),
        seed=seed,
    )
    process = await _spawned(
        processes,
        *(sys.executable, "-m", "flagconsole.demo.service"),
        cwd=folder.path,
        pass_fds=(folder.lock,),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        limit=64 * 1024 * 1024,
    )
    assert process.stdin is not None
    process.stdin.write(settings.to_json().encode() + b"\n")
    await process.stdin.drain()
    return process


async def _ask(process: asyncio.subprocess.Process, question: str) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{question}\n".encode())
    await process.stdin.drain()
    answer: dict[str, Any] = json.loads(await process.stdout.readline())
    return answer


async def _stop(processes: list[asyncio.subprocess.Process]) -> None:
    """End services before the server, so that they can say goodbye; each ends with its input."""
    for group in (processes[1:], processes[:1]):
        for process in group:
            if process.stdin is not None:
                process.stdin.close()
        await asyncio.gather(*(_ended(process) for process in group))


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
