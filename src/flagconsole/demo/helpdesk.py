"""What people say of a service, gathered and posted as a helpdesk would: CSAT answers and support tickets."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections import deque
from typing import Final

from flagconsole.client.http import Client
from flagconsole.demo.workload import Outcome
from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.telemetry import MAX_FEEDBACK, Feedback, FeedbackBatch, FeedbackKind

_POST_SECONDS: Final = 1.0
#: What waits while the server is away; beyond it the oldest goes.
_KEPT: Final = 5_000


def feedback_of(flag_name: str, tenant_id: str, outcome: Outcome) -> list[Feedback]:
    """What an operation made people say."""
    said = []
    if outcome.ticket:
        said.append(Feedback(kind=FeedbackKind.TICKET, tenant_id=tenant_id, flag_name=flag_name))
    if outcome.csat is not None:
        said.append(Feedback(kind=FeedbackKind.CSAT, tenant_id=tenant_id, flag_name=flag_name, value=outcome.csat))
    return said


class Helpdesk:
    """Posts what it is told in the background. ``tell`` may be called from any thread."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url, self._api_key = url, api_key
        self._waiting: deque[Feedback] = deque(maxlen=_KEPT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="helpdesk", daemon=True)

    def start(self) -> None:
        """Begin to post."""
        self._thread.start()

    def stop(self) -> None:
        """Post what is left, and end."""
        self._stop.set()
        self._thread.join(2.0)

    def tell(self, said: list[Feedback]) -> None:
        """Take what people said."""
        self._waiting.extend(said)

    def _work(self) -> None:
        asyncio.run(self._post_for_ever())

    async def _post_for_ever(self) -> None:
        async with Client(self._url, self._api_key) as client:
            while not self._stop.is_set():
                await asyncio.to_thread(self._stop.wait, _POST_SECONDS)
                await self._post(client)

    async def _post(self, client: Client) -> None:
        while self._waiting:
            some = tuple(self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_FEEDBACK)))
            batch = FeedbackBatch(batch_id=f"helpdesk-{secrets.token_hex(8)}", events=some)
            try:
                await client.feedback(batch)
            except FlagConsoleError:
                # Whether it arrived isn't known; a ticket that counts twice is worse than one that is lost.
                return
