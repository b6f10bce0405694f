"""Writing anchors of the audit log to a file or a webhook, once or on a schedule."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

from flagconsole.domain.anchor import Anchor, anchor_line
from flagconsole.domain.errors import AnchorNotKept, FlagConsoleError, LeaseLost
from flagconsole.domain.text import safe_text
from flagconsole.rollout.lease import Leadership
from flagconsole.rollout.signature import signed_headers
from flagconsole.store.protocol import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TIMEOUT_SECONDS: Final = 10.0
#: How often a server that doesn't lead looks whether it does now, seconds.
LOOK_SECONDS: Final = 5.0
#: After an anchor that couldn't be kept, the next try, seconds.
RETRY_SECONDS: Final = 60.0

log = logging.getLogger(__name__)


async def keep(anchor: Anchor, place: str, key: bytes) -> None:
    """Append the anchor to a file, synced, or post it to a public ``https`` URL. Raises ``AnchorNotKept``."""
    line = anchor_line(anchor)
    if not place.startswith(("https://", "http://")):
        try:
            await asyncio.to_thread(_append, Path(place), line)
        except OSError as error:
            raise AnchorNotKept(place=place, problem=error.strerror or type(error).__name__) from error
        return
    import httpx

    from flagconsole.rollout.outgoing import guarded_client

    body = line.encode("utf-8", "replace")
    headers = signed_headers(key, int(anchor.at.timestamp()), body, uuid4().hex)
    try:
        async with guarded_client(timeout=TIMEOUT_SECONDS) as connection:
            answer = await connection.post(place, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise AnchorNotKept(place=_shown(place), problem=safe_text(error, 200) or type(error).__name__) from error
    if not answer.is_success:
        raise AnchorNotKept(place=_shown(place), problem=f"HTTP status {answer.status_code}")


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _shown(url: str) -> str:
    """The URL as errors show it: without user, path and query, any of which may be a secret."""
    parts = urlsplit(url)
    return safe_text(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/…", 200)


@dataclass(frozen=True, slots=True)
class Anchors:
    """Where anchors are kept (a file or a URL), how often (seconds), and what they are signed with."""

    place: str
    every: float
    key: bytes = field(repr=False)


class Anchoring:
    """Keeps an anchor of the store's heads every so many seconds while ``leadership`` is held, the first at once: of several servers on
    one store the one that leads, for all. ``environment`` says what the store's environment is called at the time."""

    def __init__(
        self,
        store: Store,
        anchors: Anchors,
        leadership: Leadership,
        *,
        environment: Callable[[], str],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._anchors, self._leadership = store, anchors, leadership
        self._environment, self._pause = environment, pause
        self._task: asyncio.Task[None] | None = None
        #: The newest anchor that was kept.
        self.newest: Anchor | None = None

    def start(self) -> None:
        """Begin in the background."""
        self._task = asyncio.create_task(self._forever(), name="flagconsole-anchoring")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tick(self) -> Anchor | None:
        """Anchor the heads as they are now; None where another server leads. Raises ``LeaseLost``, ``AnchorNotKept`` and
        ``StoreUnavailable``.

        A server that is stopped between looking and writing may write late, after the next leader: what it writes was true, and
        anchors have no order of their own.
        """
        if not await self._leadership.acquire():
            return None
        async with self._store.write() as tx:
            await self._leadership.check(tx)
            head, acts, now = await tx.head(), await tx.act_head(), await tx.now()
            tx.discard()
        anchor = Anchor(
            environment=self._environment(),
            epoch=head.epoch,
            revision=head.revision,
            audit_hash=head.audit_hash,
            act_id=acts.act_id,
            act_hash=acts.act_hash,
            at=now,
        ).signed(self._anchors.key)
        await keep(anchor, self._anchors.place, self._anchors.key)
        self.newest = anchor
        return anchor

    async def _forever(self) -> None:
        while True:
            wait = self._anchors.every
            try:
                if await self.tick() is None:
                    wait = min(LOOK_SECONDS, wait)
            except LeaseLost:
                wait = min(LOOK_SECONDS, wait)
            except FlagConsoleError as error:
                log.warning("the audit log is not anchored: %s", safe_text(error))
                wait = min(RETRY_SECONDS, wait)
            await self._pause(wait)
