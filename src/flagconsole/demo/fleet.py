"""The demo's processes: one server on a store in a temporary folder, and four services with three instances each."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from flagconsole.demo.running import announced
from flagconsole.demo.service import ServiceSettings
from flagconsole.demo.tenants import tenant_records
from flagconsole.demo.world import build
from flagconsole.domain.errors import StoreUnavailable
from flagconsole.server.key_file import key_file_of

INSTANCES_PER_SERVICE: Final = 3
#: What each service asks for. ``invoices.write`` is used everywhere, so killing it is seen everywhere.
SERVICES: Final[dict[str, tuple[str, ...]]] = {
    "billing-api": ("invoices.write", "invoices.pdf_generation", "invoices.auto_send", "invoices.payment_links"),
    "estimates-api": (
        "estimates.write",
        "estimates.ai_pricing",
        "estimates.convert_to_invoice",
        "invoices.write",
        "v0.templates",
    ),
    "scheduler": (
        "scheduling.write",
        "scheduling.auto_assignment",
        "scheduling.recurring_jobs",
        "scheduling.route_optimization",
        "invoices.write",
    ),
    "pos-gateway": ("pos.lite", "pos.inventory_tracking", "pos.loyalty_points", "invoices.write"),
}
INSTANCES: Final = INSTANCES_PER_SERVICE * len(SERVICES)
_OPERATIONS_PER_SECOND: Final = 25.0
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 3.0
#: Tasks that only their own loop would keep alive otherwise.
drains: set[asyncio.Task[None]] = set()


class Fleet(NamedTuple):
    """A running demo: where its server is, an admin key for it, its temporary folder and its processes."""

    url: str
    api_key: str
    folder: str
    processes: tuple[asyncio.subprocess.Process, ...]

    async def report(self, feature: str) -> list[dict[str, Any]]:
        """What every service says of a feature (see ``service.report``)."""
        return list(await asyncio.gather(*(_ask(process, feature) for process in self.processes[1:])))


@asynccontextmanager
async def running_fleet(seed: int) -> AsyncIterator[Fleet]:
    """Start everything in a temporary folder; end everything and remove the folder on the way out."""
    with tempfile.TemporaryDirectory(prefix="flagconsole-demo-") as folder:
        store_path = str(Path(folder, "demo.db"))
        service_key = await build(f"sqlite:{store_path}", seed)
        processes: list[asyncio.subprocess.Process] = []
        try:
            server, url = await _start_server(store_path, folder)
            processes.append(server)
            for name in SERVICES:
                service = await _start_service(name, url, service_key, folder, seed)
                processes.append(service)
            with announced(f"sqlite:{store_path}"):
                yield Fleet(url, key_file_of(store_path).read_text().strip(), folder, tuple(processes))
        finally:
            await _stop(processes)


async def _start_server(store_path: str, folder: str) -> tuple[asyncio.subprocess.Process, str]:
    arguments = ("serve", "--store", f"sqlite:{store_path}", "--host", "127.0.0.1", "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flagconsole", *arguments, "--environment", "demo", "--end-with-stdin"),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
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
    await _stop([process])
    raise StoreUnavailable(problem=f"the demo's server did not start: {said.decode(errors='replace').strip()}")


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


async def _start_service(name: str, url: str, service_key: str, folder: str, seed: int) -> asyncio.subprocess.Process:
    settings = ServiceSettings(
        url=url,
        api_key=service_key,
        service=name,
        instances=INSTANCES_PER_SERVICE,
        features=SERVICES[name],
        tenants=tuple(tenant.tenant_id for tenant in tenant_records(seed)),
        operations_per_second=_OPERATIONS_PER_SECOND,
        cache_dir=folder,
        seed=seed,
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "flagconsole.demo.service"),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        limit=64 * 1024 * 1024,
    )
    assert process.stdin is not None
    process.stdin.write(settings.to_json().encode() + b"\n")
    await process.stdin.drain()
    return process


async def _ask(process: asyncio.subprocess.Process, feature: str) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"report {feature}\n".encode())
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
