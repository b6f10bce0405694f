"""What every store can do with break-glass grants."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from flagconsole.domain.break_glass import Deed, Grant
from flagconsole.domain.change import Change


class BreakGlassReader(Protocol):
    """Reading grants."""

    async def grant_in_force(self, key_id: str, now: datetime) -> Grant | None:
        """The grant under which the key has admin's rights now."""

    async def grant(self, grant_id: str) -> Grant | None:
        """One grant."""

    async def grants(self, limit: int) -> list[Grant]:
        """The newest grants, newest first."""

    async def deeds(self, grant_id: str) -> list[Deed]:
        """What was asked for under a grant, oldest first."""

    async def changes_under(self, grant_id: str) -> list[Change]:
        """The entries of the log that bear the grant's mark, oldest first."""


class BreakGlassTransaction(BreakGlassReader, Protocol):
    """Writing grants."""

    async def save_grant(self, grant: Grant) -> None:
        """Add a grant, or keep how it ended and was reviewed."""

    async def add_deed(self, grant_id: str, deed: Deed) -> None:
        """Note what is about to be done under a grant."""
