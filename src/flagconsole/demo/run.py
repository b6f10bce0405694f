"""``flagconsole demo``: a live fleet in a terminal, or one kill measured without one."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from pathlib import Path
from typing import Any, Final

from flagconsole.client.http import Client
from flagconsole.demo.fleet import INSTANCES, Fleet, running_fleet
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.instance import EXPECTED
from flagconsole.domain.requests import Kill
from flagconsole.domain.views import ChangeResult, InstanceList

#: The feature that every service uses.
KILLED_FLAG: Final = "invoices.write"
_READY_SECONDS: Final = 30.0
_CONFIRM_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.02


async def run_headless(seconds: float, seed: int) -> dict[str, Any]:
    """Run the fleet for ``seconds``, kill ``invoices.write`` halfway, and say what came of it.

    ``receipts_ms``: for each instance the milliseconds from the kill's request to the arrival of its receipt at the
    server. ``operations_after_last_receipt``: operations of the killed feature that began after the last of them.
    """
    async with running_fleet(seed) as fleet, Client(fleet.url, fleet.api_key) as client:
        await all_confirmed(client, None, _READY_SECONDS)
        await asyncio.sleep(seconds / 2)
        asked = time.time()
        result = await client.kill(KILLED_FLAG, Kill(kill_reason="demo: error rate above the rollback limit"))
        receipts = await all_confirmed(client, result.revision, _CONFIRM_SECONDS)
        await asyncio.sleep(max(0.0, seconds / 2 - (time.time() - asked)))
        return await _summary(fleet, client, result, receipts, asked)


async def all_confirmed(client: Client, revision: int | None, seconds: float) -> InstanceList:
    """Wait until all instances of the fleet have confirmed ``revision`` (None: whatever is newest)."""
    deadline = time.monotonic() + seconds
    while True:
        instances = await client.instances(revision)
        if instances.confirmed >= INSTANCES:
            return instances
        if time.monotonic() > deadline:
            return instances
        await asyncio.sleep(_POLL_SECONDS)


async def _summary(
    fleet: Fleet, client: Client, result: ChangeResult, receipts: InstanceList, asked: float
) -> dict[str, Any]:
    arrived = {
        instance.instance_id: instance.received_at.timestamp()
        for instance in receipts.instances
        if instance.presence in EXPECTED
        and instance.received_at is not None
        and instance.confirms(result.epoch, result.revision)
    }
    last = max(arrived.values(), default=float("inf"))
    reports = await fleet.report(KILLED_FLAG)
    after = sum(began > last for report in reports for started in report["started"].values() for began in started)
    return {
        "flags": (await client.status()).flags,
        "tenants": len((await client.tenants()).tenants),
        "instances": len(receipts.instances),
        "operations": sum(report["operations"] for report in reports),
        "killed_flag": KILLED_FLAG,
        "kill_revision": result.revision,
        "receipts_ms": {name: round((at - asked) * 1000, 2) for name, at in sorted(arrived.items())},
        "operations_after_last_receipt": after,
        "audit_verified": (await client.verify_audit()).verified,
    }


def exit_code_of(summary: dict[str, Any]) -> int:
    """0 when every instance confirmed the kill, nothing ran after that, and the log holds."""
    confirmed = len(summary["receipts_ms"]) == summary["instances"] == INSTANCES
    proven = confirmed and summary["operations_after_last_receipt"] == 0 and summary["audit_verified"]
    return ExitCode.OK if proven else ExitCode.UNCONFIRMED


def headless(seconds: float, seed: int) -> dict[str, Any]:
    """``run_headless`` for callers without a loop. SIGTERM ends it like Ctrl-C: everything is cleaned up."""

    async def main() -> dict[str, Any]:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await run_headless(seconds, seed)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _settled(fleet: Fleet) -> None:
    """Wait until the services are there, so that the console opens on a whole fleet."""
    async with Client(fleet.url, fleet.api_key) as client:
        await all_confirmed(client, None, _READY_SECONDS)


def in_terminal(seed: int, **options: Any) -> int:
    """Run the fleet and open the console on it. ``options`` go to the console. Returns its exit code."""
    from flagconsole.console.entry import run_console
    from flagconsole.console.manners import Manners
    from flagconsole.console.place import Place

    # The fleet's pipes are served by a loop of their own; the console has the main thread.
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="flagconsole-demo", daemon=True)
    thread.start()
    context = running_fleet(seed)
    try:
        fleet = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result()
        try:
            asyncio.run_coroutine_threadsafe(_settled(fleet), loop).result()
            return run_console(Place(fleet.url, fleet.api_key), Manners(**options), state_folder=Path(fleet.folder))
        finally:
            asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
