"""Tends rollouts in the background, while this server holds the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from flagconsole.domain.flag import Flag
from flagconsole.domain.playbook import Playbook
from flagconsole.domain.rollout import Rollout
from flagconsole.operations.notifications import Pages
from flagconsole.rollout.controller import Controller
from flagconsole.rollout.judging import Judgement, Judging
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.prometheus_source import PrometheusSource
from flagconsole.rollout.scheduling import Scheduling
from flagconsole.store.protocol import Store


class RolloutTender:
    """One server's controller. ``leadership`` is shared with whatever else needs the lease; ``playbooks`` are those that
    its rollbacks begin, ``prometheus`` is asked for the metrics that plans have queries for, ``pages`` says who is told of a
    scheduled change that needs a decision."""

    def __init__(
        self,
        store: Store,
        leadership: Leadership,
        playbooks: Mapping[str, Playbook],
        prometheus: PrometheusSource | None = None,
        *,
        pages: Pages,
    ) -> None:
        self._controller = Controller(
            store,
            LateJudging(store, prometheus),
            leadership,
            playbooks=playbooks,
            scheduling=Scheduling(store, leadership, pages),
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin in the background."""
        self._task = asyncio.create_task(self._controller.run(), name="flagconsole-controller")

    async def stop(self) -> None:
        """Stop where it is: the next one who leads recomputes everything."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class LateJudging:
    """The judge on the store's measurements, loaded at the first look: numpy must not delay a server's start."""

    def __init__(self, store: Store, prometheus: PrometheusSource | None) -> None:
        self._store = store
        self._prometheus = prometheus
        self._judging: Judging | None = None

    async def look(self, rollout: Rollout, flag: Flag, state: bytes | None, now: datetime) -> Judgement:
        """The verdict now."""
        if self._judging is None:
            self._judging = await asyncio.to_thread(self._load)
        return await self._judging.look(rollout, flag, state, now)

    def _load(self) -> Judging:
        from flagconsole.rollout.prometheus_values import PrometheusValues
        from flagconsole.rollout.store_judging import StoreJudging

        return StoreJudging(self._store, PrometheusValues(self._prometheus))
