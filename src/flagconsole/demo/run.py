"""``flagconsole demo``: a live fleet in a terminal, or one kill or one scenario measured without one."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from flagconsole.client.http import Client
from flagconsole.demo.fleet import Fleet, running_fleet
from flagconsole.demo.receipts import all_confirmed, arrivals
from flagconsole.demo.scenario import Scenario, fault_of
from flagconsole.demo.services import INSTANCES
from flagconsole.demo.talk import Tell, silence
from flagconsole.demo.trial import Trial, misbehaved
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.requests import Kill
from flagconsole.domain.views import ChangeResult, InstanceList

#: The feature that every service uses.
KILLED_FLAG: Final = "invoices.write"
#: How long the headless demo with its kill runs.
SECONDS: Final = 10.0
#: How long somebody who opens the console sees a healthy canary.
_CALM_SECONDS: Final = 20.0
_READY_SECONDS: Final = 30.0
_CONFIRM_SECONDS: Final = 10.0
#: What only a scenario has something to say of.
_OF_SCENARIOS: Final = (
    *("scenario", "fault_at_s", "verdict", "verdict_failed_at_s", "rolled_back", "playbook", "restoration_s"),
    *("operations_affected", "incident_id", "phase", "rollout", "because"),
)


async def run_headless(seconds: float, seed: int, tell: Tell = silence) -> dict[str, Any]:
    """Run the fleet for ``seconds``, kill ``invoices.write`` halfway, and say what came of it.

    ``receipts_ms``: for each instance the milliseconds from the kill's request to the arrival of its receipt at the
    server. ``operations_after_last_receipt``: operations of the killed feature that began after the last of them.
    """
    async with running_fleet(seed, tell=tell) as fleet, Client(fleet.url, fleet.api_key) as client:
        await all_confirmed(client, None, _READY_SECONDS)
        tell(f"all instances are there; working for {seconds:g} s, {KILLED_FLAG} is killed halfway")
        await asyncio.sleep(seconds / 2)
        asked = time.time()
        result = await client.kill(KILLED_FLAG, Kill(kill_reason="demo: error rate above the rollback limit"))
        receipts = await all_confirmed(client, result.revision, _CONFIRM_SECONDS)
        tell(f"{KILLED_FLAG} is killed: confirmed by {receipts.confirmed} of {INSTANCES} instances")
        await asyncio.sleep(max(0.0, seconds / 2 - (time.time() - asked)))
        return await _summary(fleet, client, result, receipts, asked)


async def run_scenario(scenario: Scenario, seconds: float | None, seed: int, tell: Tell = silence) -> dict[str, Any]:
    """Run the fleet with a scenario until its outcome is known, for at most ``seconds`` after the fault (None: as long as
    the scenario takes), and say what came of it (``trial.Trial.summary``)."""
    started = time.time()
    async with running_fleet(seed, tell=tell) as fleet, Client(fleet.url, fleet.api_key) as client:
        await all_confirmed(client, None, _READY_SECONDS)
        tell(f"all instances are there; scenario {scenario.value}: its outcome takes a minute or more")
        trial = Trial(fleet, client, scenario, started)
        await trial.run(seconds)
        return await trial.summary()


async def _summary(
    fleet: Fleet, client: Client, result: ChangeResult, receipts: InstanceList, asked: float
) -> dict[str, Any]:
    arrived = arrivals(receipts, result.epoch, result.revision)
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
        **dict.fromkeys(_OF_SCENARIOS),
    }


def exit_code_of(summary: dict[str, Any]) -> int:
    """0 when a scenario did what it should; without one, when every instance confirmed the kill, nothing ran after that,
    and the log holds."""
    if summary["scenario"] is not None:
        return ExitCode.UNCONFIRMED if misbehaved(summary) else ExitCode.OK
    confirmed = len(summary["receipts_ms"]) == summary["instances"] == INSTANCES
    proven = confirmed and summary["operations_after_last_receipt"] == 0 and summary["audit_verified"]
    return ExitCode.OK if proven else ExitCode.UNCONFIRMED


def headless(
    seconds: float | None, seed: int, scenario: Scenario | None = None, *, tell: Tell = silence
) -> dict[str, Any]:
    """``run_scenario``, or without one ``run_headless``, for callers without a loop; ``tell`` hears of its steps. SIGTERM ends it like Ctrl-C:
    everything is cleaned up."""

    async def main() -> dict[str, Any]:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        if scenario is None:
            return await run_headless(SECONDS if seconds is None else seconds, seed, tell)
        return await run_scenario(scenario, seconds, seed, tell)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _settled(fleet: Fleet) -> None:
    """Wait until the services are there, so that the console opens on a whole fleet."""
    async with Client(fleet.url, fleet.api_key) as client:
        await all_confirmed(client, None, _READY_SECONDS)


async def _strike_later(fleet: Fleet, scenario: Scenario) -> None:
    await asyncio.sleep(_CALM_SECONDS)
    fault = fault_of(scenario, time.time())
    if fault is not None:
        await fleet.strike(fault)


def in_terminal(
    seed: int, scenario: Scenario, *, auto_rollback: bool = True, tell: Tell = silence, **options: Any
) -> int:
    """Run the fleet, open the console on it, and let the scenario happen a little later. Without ``auto_rollback`` a failing
    canary is left to whoever sits there. ``options`` go to the console. Returns its exit code."""
    from flagconsole.console.entry import run_console
    from flagconsole.console.manners import Manners
    from flagconsole.console.place import Place

    # The fleet's pipes are served by a loop of their own; the console has the main thread.
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="flagconsole-demo", daemon=True)
    thread.start()

    def there(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    context = running_fleet(seed, auto_rollback=auto_rollback, tell=tell)
    try:
        fleet = there(context.__aenter__())
        try:
            there(_settled(fleet))
            tell("all instances are there: opening the console")
            striking = asyncio.run_coroutine_threadsafe(_strike_later(fleet, scenario), loop)
            try:
                return run_console(Place(fleet.url, fleet.api_key), Manners(**options), state_folder=Path(fleet.folder))
            finally:
                striking.cancel()
        finally:
            there(context.__aexit__(None, None, None))
    finally:
        # Interrupted while it starts, the fleet is still at it: it takes back what it has started.
        there(_end_the_rest())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end_the_rest() -> None:
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
