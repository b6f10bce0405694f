"""The demo's world before it starts: the catalogue in a believable mix of states, with the history that led there, 500
tenants, and rollouts under way. All of it is written to the real store by the real operations, on a clock that starts three
weeks ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from flagconsole.demo.fault import Fault
from flagconsole.demo.hours import BUSY_FLAGS, Hours
from flagconsole.demo.past import PAST_ROLLOUTS, PastClock, live_through
from flagconsole.demo.tenants import tenant_records
from flagconsole.demo.workload import Workload
from flagconsole.domain.incident_views import IncidentClose
from flagconsole.domain.requests import FlagCreate, FlagUpdate, KeyCreate, Kill, OverrideSet, TenantsPut
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState
from flagconsole.domain.store_environment import StoreEnvironment
from flagconsole.operations.catalogue import shipped_catalogue
from flagconsole.operations.service import Operations
from flagconsole.store import Store
from flagconsole.store.opening import sqlite_path
from flagconsole.store.sqlite import SqliteStore


class Step(NamedTuple):
    """One change of the demo's past: how many hours ago, by whom, and what."""

    hours_ago: float
    actor: str
    flag_name: str
    state: FlagState
    percentage: int | None
    reason: str


class OwnState(NamedTuple):
    """One tenant's own state: since how many hours, of which flag, and for how many days from now (None: until it is
    removed)."""

    hours_ago: float
    flag_name: str
    tenant_id: str
    state: FlagState
    reason: str
    days_left: int | None = None


class Closing(NamedTuple):
    """The end of an incident of the demo's past: how many hours ago, by whom, of which flag, and what the cause was."""

    hours_ago: float
    actor: str
    flag_name: str
    root_cause: str


def _on(hours_ago: float, actor: str, names: Sequence[str]) -> list[Step]:
    return [Step(hours_ago, actor, name, FlagState.ON, None, "rollout complete, plan finished") for name in names]


#: The past, up to the rollouts that are under way now.
_STEPS: Final[tuple[Step, ...]] = (
    *_on(
        480, "release-bot", ("invoices.write", "estimates.write", "scheduling.write", "pos.lite", "analytics.real_time")
    ),
    *_on(410, "maria.oncall", ("invoices.pdf_generation", "ai.cost_optimization", "scheduling.recurring_jobs")),
    Step(300, "release-bot", "integrations.google_calendar", FlagState.SHADOW, None, "start shadow testing"),
    *_on(250, "jonas.payments", ("integrations.google_calendar",)),
    Step(240, "release-bot", "ai.vector_search", FlagState.ON, None, "search quality confirmed"),
    Step(170, "release-bot", "v0.templates", FlagState.SHADOW, None, "start shadow testing"),
    Step(146, "aiko.design", "v0.templates", FlagState.CANARY, 50, "canary 10 % passed"),
    Step(140, "release-bot", "invoices.payment_links", FlagState.SHADOW, None, "start shadow testing"),
    Step(98, "release-bot", "estimates.ai_pricing", FlagState.SHADOW, None, "start shadow testing"),
    Step(74, "maria.oncall", "invoices.auto_send", FlagState.CANARY, 25, "shadow clean for 48 h"),
    Step(70, "release-bot", "pos.loyalty_points", FlagState.SHADOW, None, "start shadow testing"),
    Step(44, "release-bot", "scheduling.route_optimization", FlagState.SHADOW, None, "start shadow testing"),
    Step(31, "tom.field", "scheduling.auto_assignment", FlagState.SHADOW, None, "pilot with field services"),
    Step(26, "release-bot", "v0.invoice_themes", FlagState.SHADOW, None, "start shadow testing"),
    Step(20, "tom.field", "pos.inventory_tracking", FlagState.CANARY, 10, "shadow readiness 0.96"),
    Step(6, "maria.oncall", "ai.vector_search", FlagState.KILL, None, "embedding latency above 4 s, INC-2087"),
    Step(3, "release-bot", "estimates.convert_to_invoice", FlagState.SHADOW, None, "start shadow testing"),
)

_CLOSINGS: Final[tuple[Closing, ...]] = (
    Closing(5.5, "maria.oncall", "ai.vector_search", "the embedding service ran out of memory, INC-2087"),
)

_OWN_STATES: Final[tuple[OwnState, ...]] = (
    OwnState(28, "pos.lite", "tenant-0133", FlagState.OFF, "till hardware is being replaced", 1),
    OwnState(19, "estimates.ai_pricing", "tenant-0007", FlagState.CANARY, "beta partner"),
    OwnState(1, "invoices.payment_links", "tenant-0042", FlagState.OFF, "disputes open, 4471", 3),
)


async def build(
    store_url: str,
    seed: int,
    *,
    auto_rollback: bool = True,
    now: datetime | None = None,
    fault: Fault | None = None,
) -> str:
    """Fill the empty store and make a key for the services. Returns that key's secret. Without ``auto_rollback`` a canary
    that fails is left to people. The past ends ``now``, and a ``fault`` may have begun in it."""
    now = now or datetime.now(UTC)
    past = PastClock(now - timedelta(hours=500))
    # Nobody relies on any of it before it is whole, and a sync for each change of three weeks takes a slow disk half a minute.
    store = await SqliteStore.open(sqlite_path(store_url), clock=past, durable=False)
    try:
        operations = Operations(store, environment="demo")
        founder = Actor(name="platform-team", role=Role.ADMIN)
        async with store.write() as tx:
            # Whoever opens the store without its server reads where it is too.
            await tx.save_environment(StoreEnvironment(name="demo", created_at=await tx.now(), created_by=founder.name))
        flags: list[FlagCreate] = shipped_catalogue("thorbis")
        await operations.load_catalogue(founder, flags)
        await operations.put_tenants(founder, TenantsPut(tenants=tenant_records(seed, now.date())))
        # In the order of time, as in every log: the console finds a moment by it.
        steps: list[Step | OwnState | Closing] = [*_STEPS, *_OWN_STATES, *_CLOSINGS]
        for step in sorted(steps, key=lambda one: -one.hours_ago):
            past.at = now - timedelta(hours=step.hours_ago)
            if isinstance(step, Step):
                await _take(operations, step)
            elif isinstance(step, Closing):
                await _close(operations, step)
            else:
                await _give(operations, step, now)
        await _hours(store, seed, now)
        await live_through(store, past, now, seed, auto_rollback=auto_rollback, fault=fault)
        past.at = now
        return (await operations.create_key(founder, KeyCreate(name="services", role=Role.SDK))).secret
    finally:
        await store.close()


async def _hours(store: Store, seed: int, now: datetime) -> None:
    hours = Hours(store, Workload(seed, [tenant.tenant_id for tenant in tenant_records(seed, now.date())]), seed)
    for rollout in PAST_ROLLOUTS:
        await hours.write(rollout.flag_name, now - timedelta(minutes=rollout.minutes_ago))
    for flag_name in BUSY_FLAGS:
        await hours.write(flag_name, now)


async def _take(operations: Operations, step: Step) -> None:
    actor = Actor(name=step.actor, role=Role.ADMIN)
    if step.state is FlagState.KILL:
        await operations.kill(actor, step.flag_name, Kill(kill_reason=step.reason))
        return
    request = FlagUpdate(change_reason=step.reason, current_state=step.state, canary_percentage=step.percentage)
    await operations.update(actor, step.flag_name, request)


async def _close(operations: Operations, closing: Closing) -> None:
    actor = Actor(name=closing.actor, role=Role.ADMIN)
    for incident in (await operations.incidents(actor, flag_name=closing.flag_name, open_only=True)).incidents:
        await operations.close_incident(actor, incident.incident_id, IncidentClose(root_cause=closing.root_cause))


async def _give(operations: Operations, own: OwnState, now: datetime) -> None:
    expires = None if own.days_left is None else now + timedelta(days=own.days_left)
    request = OverrideSet(
        override_state=own.state, override_reason=own.reason, expires_at=expires, tenant_id=own.tenant_id
    )
    await operations.set_override(Actor(name="sam.support", role=Role.ADMIN), own.flag_name, request)
