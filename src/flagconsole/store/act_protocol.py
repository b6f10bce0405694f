"""What every store can do with the log of acts: a chain of its own, which no revision counts and no client follows."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from flagconsole.domain.act import Act, ActDraft


class ActHead(NamedTuple):
    """The newest act: its number (0 where there is none) and its hash."""

    act_id: int
    act_hash: str


class ActReader(Protocol):
    """Reading acts."""

    async def act_head(self) -> ActHead:
        """The newest one's number and hash, as the head row names them."""

    async def acts(self, *, before: int | None = None, limit: int = 50) -> list[Act]:
        """Acts, newest first, older than the act ``before``."""

    async def acts_after(self, act_id: int, limit: int) -> list[Act]:
        """Acts, oldest first, newer than ``act_id``."""


class ActTransaction(ActReader, Protocol):
    """Writing acts."""

    async def record(self, draft: ActDraft) -> Act:
        """Add an act to the chain."""
