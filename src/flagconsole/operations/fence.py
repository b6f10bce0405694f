"""The right to act, checked inside the very transaction that acts."""

from __future__ import annotations

from typing import Protocol

from flagconsole.store.protocol import Transaction


class Fence(Protocol):
    """What whoever works over time holds: a lease that may have gone to somebody else meanwhile."""

    async def check(self, tx: Transaction) -> None:
        """Raise ``LeaseLost`` where it has; then the transaction does nothing."""
