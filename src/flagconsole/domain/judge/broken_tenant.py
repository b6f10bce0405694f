"""The guard of the single tenant: one customer of the canary is broken, and nobody else is or was."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.judge.interval import lower_bound

Floats = NDArray[np.float64]

#: A tenant is broken when at least this share of its operations failed in half an hour, beyond doubt of 3 deviations …
BROKEN_SHARE = 0.2
#: … and at least this many of them.
FEWEST_ERRORS = 10
#: Any other tenant is already counted as broken at this share, beyond doubt of 2 deviations, and this many errors.
SUSPECT_SHARE = 0.1
SUSPECT_ERRORS = 5


class BrokenTenantGuard:
    """Fires when a canary tenant stays broken and no control tenant was ever suspect in this phase, nor broken in the
    baseline. The tenant has to be broken for ``confirm_seconds``, so that others which broke with it have time to show.

    That no other tenant breaks by itself is all that speaks against chance here, so this is a heuristic without a bound:
    no comparison of tenants can tell a tenant that the change broke from one that broke by coincidence.
    """

    def __init__(self, canary: NDArray[np.bool_], broken_before: int, confirm_seconds: float) -> None:
        self._canary = canary
        self._others = broken_before
        self._confirm_seconds = confirm_seconds
        self._since: dict[int, float] = {}
        self.fired_at: float | None = None
        self.tenant: int | None = None

    def advance(self, seconds: float, operations: Floats, errors: Floats) -> None:
        """Take in each tenant's last half hour."""
        suspected = suspects(operations, errors)
        own: list[int] = []
        if suspected.size:
            inside = self._canary[suspected]
            self._others = max(self._others, int((~inside).sum()))
            candidates = suspected[inside]
            tried, failed = operations[candidates], errors[candidates]
            broken = (failed >= FEWEST_ERRORS) & (lower_bound(failed, tried, 3.0) >= BROKEN_SHARE)
            own = candidates[broken].tolist()
        self._since = {place: self._since.get(place, seconds) for place in own}
        lasting = [place for place, since in self._since.items() if seconds - since >= self._confirm_seconds]
        if self.fired_at is None and lasting and self._others == 0:
            self.fired_at = seconds
            self.tenant = max(lasting, key=lambda place: float(errors[place]))

    def state(self) -> dict[str, Any]:
        """All that has to be kept; JSON."""
        since = {str(place): at for place, at in self._since.items()}
        return {"others": self._others, "since": since, "fired_at": self.fired_at, "tenant": self.tenant}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self._others = int(state["others"])
        self._since = {int(place): float(at) for place, at in state["since"].items()}
        self.fired_at = state["fired_at"]
        self.tenant = state["tenant"]


def suspects(operations: Floats, errors: Floats) -> NDArray[np.intp]:
    """The places of tenants that may be broken, given what they did in half an hour."""
    places = np.flatnonzero(errors >= SUSPECT_ERRORS)
    return places[lower_bound(errors[places], operations[places], 2.0) >= SUSPECT_SHARE]
