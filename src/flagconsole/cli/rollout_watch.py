"""Following one flag's rollout: read again whenever the stream says that something happened, and now and then in any case.

What is reported always comes from reading, so that a stream that is lost, slow or not there delays it and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.rollout_views import NumberedVerdict, RolloutDetail

#: Seconds between two readings: with a stream that tells of news, without one, and on a store.
TOLD_SECONDS: Final = 5.0
UNTOLD_SECONDS: Final = 2.0
STORE_SECONDS: Final = 0.5
_PAGE: Final = 100


class News(NamedTuple):
    """The flag's newest rollout, and the looks of the judge at it that weren't read before, oldest first."""

    detail: RolloutDetail
    verdicts: tuple[NumberedVerdict, ...]


async def read_news(backend: Backend, flag: str, after: int | None) -> News:
    """What is new since the look number ``after``; without a number only the newest look."""
    detail = await backend.rollout(flag)
    if detail.rollout is None:
        return News(detail, ())
    found: list[NumberedVerdict] = []
    before: int | None = None
    while True:
        page = await backend.verdicts(flag, before=before, limit=1 if after is None else _PAGE)
        fresh = [look for look in page.verdicts if after is None or look.verdict_id > after]
        found += [look for look in fresh if look.verdict.rollout_id == detail.rollout.rollout_id]
        before = page.next_before
        if after is None or before is None or len(fresh) < len(page.verdicts):
            return News(detail, tuple(reversed(found)))


class Wake:
    """Tells when it is time to read again. ``problem`` says why the stream is away, empty while it is there."""

    def __init__(self, seconds: float) -> None:
        self.problem = ""
        self.seconds = seconds
        self._event = asyncio.Event()

    def now(self) -> None:
        """Something has happened."""
        self._event.set()

    async def wait(self, at_most: float) -> None:
        """Wait for the next reason to read, and no longer than ``at_most`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(self.seconds, at_most))):
                await self._event.wait()
        self._event.clear()


@asynccontextmanager
async def waking(backend: Backend, target: Target, flag: str) -> AsyncIterator[Wake]:
    """A ``Wake`` for this flag, fed by the server's stream while the block runs; a store is simply read often."""
    if target.url is None:
        yield Wake(STORE_SECONDS)
        return
    wake = Wake(UNTOLD_SECONDS)
    status = await backend.status()
    task = asyncio.create_task(_listen(target, flag, wake, (status.epoch, status.revision)))
    try:
        yield wake
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _listen(target: Target, flag: str, wake: Wake, position: tuple[str, int]) -> None:
    from flagconsole.client.frames import ChangeFrame, Connected, Disconnected, RolloutFrame, VerdictFrame
    from flagconsole.client.stream import Stream

    assert target.url is not None
    # From a position on, since the rules aren't needed: without one each connection would begin with all of them.
    stream = Stream(target.url, target.api_key(), include=("rollouts",), position=lambda: position, impatient=True)
    needle = f'"flag_name":"{flag}"'
    async with aclosing(stream.events()) as events:
        async for event in events:
            if isinstance(event, Connected):
                wake.problem, wake.seconds = "", TOLD_SECONDS
                wake.now()
            elif isinstance(event, Disconnected):
                wake.problem, wake.seconds = event.problem, UNTOLD_SECONDS
                wake.now()
            elif isinstance(event, ChangeFrame):
                position = max(position, (event.epoch, event.revision))
            elif isinstance(event, RolloutFrame | VerdictFrame) and needle in event.text:
                wake.now()
