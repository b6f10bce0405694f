"""Tends playbooks, the outbox and subscriptions in the background, while this server holds the lease."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from flagconsole import __version__
from flagconsole.domain.errors import FlagConsoleError, LeaseLost
from flagconsole.domain.notification import SubscriptionView, TrialAnswer
from flagconsole.domain.playbook import Playbook
from flagconsole.domain.text import safe_text
from flagconsole.domain.verdict import VerdictKind
from flagconsole.rollout.lease import TTL_SECONDS, Leadership
from flagconsole.rollout.notifier import Notifier, send_trial
from flagconsole.rollout.outbox import Outbox
from flagconsole.rollout.outgoing import guarded_client
from flagconsole.rollout.playbook_runner import PlaybookRunner
from flagconsole.rollout.response import Response
from flagconsole.rollout.sources import MetricSource
from flagconsole.rollout.steps.scene import Verdicts
from flagconsole.store.protocol import Store

#: How often it looks for something to do, seconds.
TEND_INTERVAL: Final = 0.5

log = logging.getLogger(__name__)


class Responder:
    """One server's part in responding to incidents. ``leadership`` is shared with whatever else needs the lease."""

    def __init__(
        self,
        store: Store,
        leadership: Leadership,
        *,
        response: Response,
        playbooks: Mapping[str, Playbook],
        metrics: MetricSource | None,
        verdicts: Verdicts | None = None,
    ) -> None:
        self._leadership = leadership
        self._connection = guarded_client(response.private_hosts, headers={"User-Agent": f"flagconsole/{__version__}"})
        self._runner = PlaybookRunner(
            store,
            playbooks,
            response=response,
            verdicts=verdicts or LateVerdicts(store, leadership),
            metrics=metrics,
            fence=leadership,
            connection=self._connection,
        )
        self._outbox = Outbox(store, response, self._connection, fence=leadership)
        self._notifier = Notifier(store, response, self._connection, fence=leadership)
        self._store, self._response = store, response
        self._leading_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin in the background. Deliveries don't wait for steps that take long."""
        self._tasks = [
            asyncio.create_task(self._forever(work), name=f"flagconsole-{name}")
            for name, work in (
                ("playbooks", self._runner.tick),
                ("outbox", self._outbox.tick),
                ("notifier", self._notifier.tick),
            )
        ]

    def subscriptions(self) -> tuple[SubscriptionView, ...]:
        """Who is told of changes."""
        return self._response.subscription_views()

    async def send_trial(self, subscription: str, asked_by: str) -> TrialAnswer:
        """Send a test message, from whichever server is asked. Raises ``SubscriptionNotFound``."""
        async with self._store.read() as reader:
            now = await reader.now()
        return await send_trial(self._connection, self._response, subscription, asked_by, now)

    async def stop(self) -> None:
        """Stop where it is: what is under way is found again by the next one who leads."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connection.aclose()
        await self._leadership.release()

    async def _forever(self, work: object) -> None:
        assert callable(work)
        while True:
            try:
                if await self._leads():
                    await work()
            except LeaseLost:
                self._leading_until = 0.0
            except FlagConsoleError as error:
                log.warning("incidents can't be tended: %s", safe_text(error))
            await asyncio.sleep(TEND_INTERVAL)

    async def _leads(self) -> bool:
        """Whether this server has the lease, prolonging it well before it ends."""
        if time.monotonic() < self._leading_until:
            return True
        if not await self._leadership.acquire():
            return False
        self._leading_until = time.monotonic() + TTL_SECONDS / 3
        return True


class LateVerdicts:
    """The judge's verdicts on what a playbook watches, loaded when first asked: numpy must not delay a server's start."""

    def __init__(self, store: Store, leadership: Leadership) -> None:
        self._store = store
        self._leadership = leadership
        self._verdicts: Verdicts | None = None

    async def verdict(self, flag_name: str, since: datetime, now: datetime) -> VerdictKind:
        """The verdict as of now on what was measured since ``since``."""
        if self._verdicts is None:
            self._verdicts = await asyncio.to_thread(self._load)
        return await self._verdicts.verdict(flag_name, since, now)

    def _load(self) -> Verdicts:
        from flagconsole.rollout.improvement import ImprovementVerdicts

        return ImprovementVerdicts(self._store, self._leadership)
