"""The application: routes over operations on one store."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from flagconsole import __version__
from flagconsole.domain.instance import EXPECTED
from flagconsole.domain.playbook import Playbook
from flagconsole.domain.retention import Retention
from flagconsole.domain.views import Problem
from flagconsole.operations.service import Operations
from flagconsole.rollout.anchoring import Anchoring, Anchors
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.playbook_file import read_playbooks
from flagconsole.rollout.prometheus_source import PrometheusSource
from flagconsole.rollout.response import Response
from flagconsole.rollout.store_source import StoreSource
from flagconsole.server import (
    approval_routes,
    break_glass_routes,
    bulk_routes,
    change_routes,
    cohort_routes,
    environment_routes,
    flag_routes,
    fleet_routes,
    incident_routes,
    metric_routes,
    notification_routes,
    ofrep_routes,
    playbook_routes,
    problems,
    public_routes,
    rollout_routes,
    route_table,
    schedule_routes,
    shadow_routes,
    store_environment_routes,
    stream,
    unleash_routes,
)
from flagconsole.server.bounds import Bounds
from flagconsole.server.counting import Counting
from flagconsole.server.evaluations import Evaluations
from flagconsole.server.flag_list import FlagLists
from flagconsole.server.follower import Follower
from flagconsole.server.hot_app import HotApp
from flagconsole.server.hot_changes import HotChanges
from flagconsole.server.hot_evaluation import HotEvaluation
from flagconsole.server.hot_reads import HotReads
from flagconsole.server.hot_receipts import HotReceipts
from flagconsole.server.hub import Channel, Hub
from flagconsole.server.incident_teller import IncidentTeller
from flagconsole.server.instance_book import InstanceBook
from flagconsole.server.known_keys import KnownKeys
from flagconsole.server.limits import Limits
from flagconsole.server.meters import Meters
from flagconsole.server.metric_keeper import MetricKeeper
from flagconsole.server.ofrep_answer import refetch_frame
from flagconsole.server.prepared import Prepared
from flagconsole.server.quotas import Quotas
from flagconsole.server.responder import Responder
from flagconsole.server.rollout_teller import RolloutTeller
from flagconsole.server.rollout_tender import RolloutTender
from flagconsole.server.state import ServerState
from flagconsole.server.telemetry_intake import TelemetryIntake
from flagconsole.server.unleash_feed import UnleashFeeds


def create_app(
    operations: Operations,
    retention: Retention | None = None,
    *,
    response: Response | None = None,
    playbooks: Mapping[str, Playbook] | None = None,
    prometheus: PrometheusSource | None = None,
    bounds: Bounds | None = None,
    anchors: Anchors | None = None,
) -> FastAPI:
    """The ASGI application on an open store. Its lifespan follows the store; whoever opened the store closes it.
    ``retention`` says how long measurements are kept, ``response`` what playbooks may reach (nothing, by default), and
    ``playbooks`` replaces those that ship. ``prometheus`` is asked for the metrics that plans have queries for; whoever made it
    closes it. ``bounds`` is what clients may ask of the server,
    ``anchors`` says where the audit log's heads are kept."""
    hub = Hub()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        book = InstanceBook(operations.store, hub, server_id=secrets.token_hex(8))
        await book.load()
        follower = await Follower.load(operations, hub, book)
        unleash = UnleashFeeds(hub)
        intake = TelemetryIntake(operations.store, lambda: follower.projection.ruleset)
        keeper = MetricKeeper(operations.store, retention or Retention())
        known_playbooks = read_playbooks() if playbooks is None else playbooks
        reached = response or Response(environment=operations.environment)
        leadership = Leadership(operations.store)
        responder = Responder(
            operations.store,
            leadership,
            response=reached,
            playbooks=known_playbooks,
            metrics=StoreSource(operations.store.metrics),
        )
        state = ServerState(
            operations,
            hub,
            book,
            follower,
            Meters(),
            intake,
            unleash,
            known_playbooks,
            prometheus,
            asyncio.Lock(),
            Quotas(bounds or Bounds()),
            responder,
            Prepared(follower, unleash),
            FlagLists(follower),
            KnownKeys(operations.store),
            Evaluations(follower),
        )
        state.meters.watch(lambda: _gauges(state))
        app.state.server = state
        hot_app.hot_reads, hot_app.hot_receipts = HotReads(state), HotReceipts(state)
        tellers = (IncidentTeller(operations.store, hub), RolloutTeller(operations.store, hub))
        anchoring = None
        if anchors is not None:
            anchoring = Anchoring(operations.store, anchors, leadership, environment=lambda: operations.environment)
        tender = RolloutTender(operations.store, leadership, known_playbooks, prometheus, pages=reached)
        follower.on_change(unleash.tell)
        follower.on_change(lambda ruleset: hub.publish(refetch_frame(ruleset), channel=Channel.OFREP))
        follower.start()
        for teller in tellers:
            teller.start()
        responder.start()
        tender.start()
        keeper.start()
        if anchoring is not None:
            anchoring.start()
        try:
            yield
        finally:
            hub.close()
            for teller in tellers:
                await teller.stop()
            if anchoring is not None:
                await anchoring.stop()
            await tender.stop()
            await responder.stop()
            await keeper.stop()
            await intake.finish()
            await follower.stop()
            await book.save()

    app = hot_app = HotApp(
        title="flagconsole",
        version=__version__,
        summary="Feature flags, and the evidence that a kill has arrived",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.hub = hub
    problems.install(app)
    modules = (
        approval_routes,
        break_glass_routes,
        bulk_routes,
        change_routes,
        cohort_routes,
        environment_routes,
        flag_routes,
        fleet_routes,
        incident_routes,
        metric_routes,
        notification_routes,
        ofrep_routes,
        playbook_routes,
        rollout_routes,
        schedule_routes,
        shadow_routes,
        store_environment_routes,
        stream,
        unleash_routes,
        public_routes,
    )
    app.state.routes = [route for module in modules for route in module.router.routes]
    # Not include_router: it would make each route a second time, at the first request, for a prefix and defaults that there aren't.
    app.router.routes.extend(app.state.routes)
    route_table.refuse_unlisted(app.state.routes)
    app.add_middleware(HotEvaluation)
    app.add_middleware(HotChanges)
    app.add_middleware(Counting)
    app.add_middleware(Limits, bounds=bounds)
    _describe_problems(app)
    return app


def _gauges(state: ServerState) -> dict[str, tuple[str, float]]:
    ruleset = state.projection.ruleset
    instances = state.book.all(datetime.now(UTC))
    expected = [instance for instance in instances if instance.presence in EXPECTED]
    told = [instance for instance in expected if instance.told(ruleset.epoch, ruleset.revision)]
    confirmed = [instance for instance in expected if instance.confirms(ruleset.epoch, ruleset.revision)]
    taken = state.intake.counts
    return {
        "flagconsole_revision": ("Newest revision of the store", ruleset.revision),
        "flagconsole_flags": ("Flags that are not archived", len(ruleset.rules)),
        "flagconsole_stream_clients": ("Open streams", len(state.hub)),
        "flagconsole_instances_expected": ("SDK instances that are waited for", len(expected)),
        "flagconsole_instances_behind": (
            "Expected instances that could have confirmed the newest revision and have not, or were not told of it",
            len(expected) - len(confirmed) - len(told),
        ),
        "flagconsole_instances_told": ("Expected instances that can't confirm, told of the newest revision", len(told)),
        "flagconsole_telemetry_taken": ("Measured buckets and events taken since the start", taken["taken"]),
        "flagconsole_telemetry_refused": (
            "Measured buckets and events that were late, early or about an unknown flag",
            taken["late"] + taken["early"] + taken["unknown"],
        ),
        "flagconsole_telemetry_dropped": ("Measured buckets that instances had to give up", state.intake.dropped),
        "flagconsole_store_healthy": ("1 when the store could be read the last time", state.follower.healthy),
    }


def _describe_problems(app: FastAPI) -> None:
    """Add to the OpenAPI document the problem schema, which handlers answer and no route returns, and who may do what."""
    make = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = make()
            route_table.describe(schema)
            schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
