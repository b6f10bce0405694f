"""Whole answers that many ask for, made at the first question after each revision and forgotten at the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flagconsole.domain.evaluation import Ruleset
from flagconsole.server.follower import Follower
from flagconsole.server.representation import Representation
from flagconsole.server.unleash_feed import UnleashFeeds, etag_of

#: Bytes of bodies that are kept for tenants' keys. What doesn't fit is made anew.
MOST_BYTES: Final = 16 * 1024 * 1024


class Prepared:
    """The answers of one environment. Keys that are bound to a tenant have their own."""

    def __init__(self, follower: Follower, unleash: UnleashFeeds) -> None:
        self._follower = follower
        self._unleash = unleash
        self._ruleset: Ruleset | None = None
        self._made: dict[tuple[str, str | None], Representation] = {}
        self._bytes = 0

    def snapshot(self, tenant_id: str | None) -> Representation:
        """``GET /api/snapshot``."""
        return self._one("snapshot", tenant_id, self._make_snapshot)

    def features(self, tenant_id: str | None) -> Representation:
        """``GET /api/client/features``."""
        return self._one("features", tenant_id, self._make_features)

    def _one(self, what: str, tenant_id: str | None, make: Callable[[str | None], Representation]) -> Representation:
        ruleset = self._follower.projection.ruleset
        if ruleset is not self._ruleset:
            self._forget()
            self._ruleset = ruleset
        made = self._made.get((what, tenant_id))
        if made is None:
            made = make(tenant_id)
            if tenant_id is not None:
                self._bytes += made.size
                if self._bytes > MOST_BYTES:
                    self._forget()
            self._made[what, tenant_id] = made
        return made

    def _forget(self) -> None:
        self._made.clear()
        self._bytes = 0

    def _make_snapshot(self, tenant_id: str | None) -> Representation:
        return Representation(*self._follower.projection.snapshot(tenant_id))

    def _make_features(self, tenant_id: str | None) -> Representation:
        ruleset = self._follower.projection.ruleset
        return Representation(self._unleash.of(tenant_id).payload(ruleset), etag_of(ruleset, tenant_id))
