"""How a store's environments are served, and opening one."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from fastapi import FastAPI

from flagconsole.domain.playbook import Playbook
from flagconsole.domain.retention import Retention
from flagconsole.domain.store_environment import FIRST, UNNAMED, StoreEnvironment
from flagconsole.operations.service import Operations
from flagconsole.operations.store_environments import chosen
from flagconsole.rollout.anchoring import Anchors
from flagconsole.rollout.prometheus_source import PrometheusSource
from flagconsole.rollout.response import Response
from flagconsole.server.app import create_app
from flagconsole.server.bounds import Bounds
from flagconsole.server.key_file import ensure_admin_key, ensure_first_admin_key, key_file_of
from flagconsole.store.opening import is_postgres, open_store
from flagconsole.store.partition import file_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Something that is demanded everywhere, or in some environments by name."""

    everywhere: bool = False
    names: frozenset[str] = frozenset()

    def holds_for(self, names: Collection[str | None]) -> bool:
        """Whether it is demanded of what has one of these names."""
        return self.everywhere or not self.names.isdisjoint(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What ``serve`` was told.

    ``environment`` is the only one to serve; in a store without names, what its environment is called. ``responses`` say what
    playbooks may reach and ``prometheus`` makes what is asked for the metrics that plans have queries for, by the name of the
    environment; the one without a name is the first's, since what is production's is none of staging's business.
    ``playbooks`` replaces those that ship, ``retention`` says how long measurements are kept, ``anchors`` where and how often
    the audit log's head is kept. ``bounds`` is what clients may ask. ``own`` says that a console started this server for itself; ``keys`` that it makes an admin's
    key for whoever sits at this machine.
    """

    listen_url: str | None = None
    environment: str | None = None
    requires_versions: Demand = field(default_factory=Demand)
    requires_approvals: Demand = field(default_factory=Demand)
    responses: Mapping[str, Response] = field(default_factory=dict)
    playbooks: Mapping[str, Playbook] | None = None
    retention: Retention | None = None
    prometheus: Mapping[str, Callable[[], PrometheusSource]] = field(default_factory=dict)
    anchors: Anchors | None = None
    bounds: Bounds | None = None
    own: bool = False
    keys: bool = False

    def served(self, known: tuple[StoreEnvironment, ...]) -> tuple[StoreEnvironment, ...]:
        """The environments to serve of those in the store. Raises ``EnvironmentNotFound`` for any name that none has."""
        if known[0].created_at is None:
            known = (known[0].model_copy(update={"name": self.environment or UNNAMED}),)
        named = (self.requires_versions.names, self.requires_approvals.names, self.responses, self.prometheus)
        for name in (name for names in named for name in names if name):
            chosen(known, name)
        return known if self.environment is None else (chosen(known, self.environment),)


@asynccontextmanager
async def served_app(
    store_url: str, environment: StoreEnvironment, settled: str | None, *, serving: Serving
) -> AsyncIterator[FastAPI]:
    """The application on one environment, its store open while the block runs. Of what was told by name, what was told for the name
    ``settled`` is the environment's; what is demanded of its present name holds besides. Raises ``StoreUnavailable``."""
    store = await open_store(store_url, partition=environment.partition, listen_url=serving.listen_url)
    prometheus = None
    names = {environment.name, settled}
    try:
        operations = Operations(
            store,
            environment=environment.name,
            requires_versions=serving.requires_versions.holds_for(names),
            requires_approvals=serving.requires_approvals.holds_for(names),
        )
        if serving.keys:
            await _make_admin_key(operations, store_url, environment, own=serving.own)
        make = _for(environment, settled, serving.prometheus)
        prometheus = None if make is None else make()
        response = _for(environment, settled, serving.responses)
        if response is not None and response.environment in {UNNAMED, settled}:
            response = response.model_copy(update={"environment": environment.name})
        yield create_app(
            operations,
            serving.retention,
            response=response,
            playbooks=serving.playbooks,
            prometheus=prometheus,
            bounds=serving.bounds,
            anchors=_anchors_of(environment, serving.anchors),
        )
    finally:
        if prometheus is not None:
            await prometheus.aclose()
        await store.close()


@asynccontextmanager
async def running_app(
    store_url: str, environment: StoreEnvironment, settled: str | None, *, serving: Serving
) -> AsyncIterator[FastAPI]:
    """The application on one environment, running for itself while the block does."""
    async with served_app(store_url, environment, settled, serving=serving) as app, app.router.lifespan_context(app):
        yield app


def _for(environment: StoreEnvironment, settled: str | None, values: Mapping[str, T]) -> T | None:
    """The environment's own value, else for the first one that without a name."""
    fallback = values.get("") if environment.partition == FIRST else None
    return fallback if settled is None else values.get(settled, fallback)


def _anchors_of(environment: StoreEnvironment, anchors: Anchors | None) -> Anchors | None:
    """Each log has a file of its own; what is posted says itself which it is of."""
    if anchors is not None and not anchors.place.startswith(("https://", "http://")):
        anchors = replace(anchors, place=file_of(anchors.place, environment.partition))
    return anchors


async def _make_admin_key(operations: Operations, store_url: str, environment: StoreEnvironment, *, own: bool) -> None:
    """The key for whoever sits at this machine. A console that started this server for itself needs one."""
    path = key_file_of(store_url, environment.partition)
    if own or not is_postgres(store_url):
        await ensure_admin_key(operations, path)
        if own:
            print(f"the key of {environment.name} is in {path}", file=sys.stderr, flush=True)  # noqa: T201
    elif await ensure_first_admin_key(operations, path):
        of = "this database" if environment.partition == FIRST else environment.name
        print(f"the first admin key of {of} is in {path}", file=sys.stderr, flush=True)  # noqa: T201
