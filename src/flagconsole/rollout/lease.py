"""Which controller may act: a row with a time to live and an epoch, checked inside every write.

A candidate takes the lease only after it has seen the same holder's same expiry for a whole time to live of its *own*
clock, so clocks that disagree can't make two leaders. A leader that was stopped and comes back finds a higher epoch in
its next write and fails there.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from flagconsole.domain.errors import LeaseLost
from flagconsole.store.protocol import Store, Transaction
from flagconsole.store.rollout_protocol import Lease

NAME: Final = "controller"
TTL_SECONDS: Final = 15.0


class Leadership:
    """One candidate for the lease."""

    def __init__(
        self,
        store: Store,
        *,
        holder: str | None = None,
        ttl_seconds: float = TTL_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.holder = holder or secrets.token_hex(8)
        self.epoch = 0
        self._store = store
        self._ttl = ttl_seconds
        self._monotonic = monotonic
        self._seen: tuple[str, int, datetime] | None = None
        self._seen_at = 0.0

    async def acquire(self) -> bool:
        """Take or prolong the lease. False while somebody else has it."""
        async with self._store.write() as tx:
            lease = await tx.lease(NAME)
            if lease is not None and lease.holder != self.holder and not self._gone(lease):
                tx.discard()
                return False
            mine = lease is not None and lease.holder == self.holder and lease.epoch == self.epoch
            epoch = self.epoch if mine else (0 if lease is None else lease.epoch) + 1
            expires = await tx.now() + timedelta(seconds=self._ttl)
            await tx.save_lease(Lease(NAME, self.holder, epoch, expires))
        self.epoch = epoch
        return True

    async def check(self, tx: Transaction) -> None:
        """Raise ``LeaseLost`` unless this candidate still is the leader; called inside each of its writes."""
        lease = await tx.lease(NAME)
        if lease is None or lease.holder != self.holder or lease.epoch != self.epoch:
            raise LeaseLost(epoch=0 if lease is None else lease.epoch, ours=self.epoch)

    async def release(self) -> None:
        """Give the lease up, so that another needn't wait for it to expire."""
        async with self._store.write() as tx:
            lease = await tx.lease(NAME)
            if lease is not None and lease.holder == self.holder and lease.epoch == self.epoch:
                await tx.save_lease(lease._replace(holder="", expires_at=await tx.now()))

    def _gone(self, lease: Lease) -> bool:
        """Whether the holder has not prolonged its lease for a whole time to live of our clock."""
        if lease.holder == "":
            return True
        sign = (lease.holder, lease.epoch, lease.expires_at)
        if sign != self._seen:
            self._seen, self._seen_at = sign, self._monotonic()
        return self._monotonic() - self._seen_at >= self._ttl
