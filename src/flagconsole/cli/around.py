"""What changed near a moment: found by halving, since change ids go with time, so that no call reads the whole log."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from flagconsole.domain.change import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagconsole.cli.backend import Backend
    from flagconsole.domain.change import Change

_PAGE: Final = 500
#: No more changes than this are read of one window.
MOST: Final = 5_000


class Around(NamedTuple):
    """The changes within a window, nearest to the moment first. ``complete`` is False where there were more than ``MOST``:
    then the oldest of the window are missing."""

    changes: tuple[Change, ...]
    complete: bool


async def changes_around(
    backend: Backend,
    moment: datetime,
    window: timedelta,
    *,
    flag: str | None = None,
    tenant: str | None = None,
    domain: str | None = None,
) -> Around:
    """The changes at most ``window`` before or after ``moment``, of all flags or of those that are meant."""
    head = (await backend.status()).revision
    before: int | None = await _last_at(backend, moment + window, head) + 1
    found: list[Change] = []
    earliest = moment - window
    while before is not None and before > 1 and len(found) < MOST:
        page = await backend.history(flag, limit=_PAGE, before=before, tenant_id=tenant, domain=domain)
        inside = [change for change in page.changes if change.changed_at >= earliest]
        found += inside
        before = page.next_before if len(inside) == len(page.changes) else None
    nearest = sorted(found, key=lambda change: (abs(change.changed_at - moment), -change.change_id))
    return Around(tuple(nearest), before is None or before <= 1)


def told_together(changes: Sequence[Change]) -> list[tuple[Change, ...]]:
    """The changes, each by itself, but the flags that one step created together, where the nearest of them stands: a catalogue
    that was loaded is one thing that happened, and hides nothing else."""
    together: dict[str | int | None, list[Change]] = {}
    for change in changes:
        of_a_set = change.action is Action.CREATED and change.correlation_id is not None
        key = change.correlation_id if of_a_set else change.change_id
        together.setdefault(key, []).append(change)
    return [tuple(sorted(group, key=lambda change: change.change_id)) for group in together.values()]


async def _last_at(backend: Backend, moment: datetime, head: int) -> int:
    """The id of the last change at or before ``moment``; 0 where there is none."""
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        page = await backend.history(None, limit=1, before=middle + 1)
        late = bool(page.changes) and page.changes[0].changed_at > moment
        low, high = (low, middle - 1) if late else (middle, high)
    return low
