"""Break-glass: admin's rights that an operator takes for a limited time, with a reason, and what was done with them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import AwareDatetime, Field

from flagconsole.domain.change import Change
from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import ReasonText

LONGEST_MINUTES: Final = 240


class Grant(Frozen):
    """One taking of admin's rights, by one key. ``ended_at`` is when it was given back before its time was over."""

    grant_id: str
    key_id: str
    taken_by: str
    reason: str
    began_at: AwareDatetime
    ends_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    reviewed_at: AwareDatetime | None = None
    reviewed_by: str | None = None
    review_note: str | None = None

    def is_in_force_at(self, now: datetime) -> bool:
        """Whether its holder has admin's rights."""
        return self.ended_at is None and now < self.ends_at


class Deed(Frozen):
    """Something that was asked for under a grant, noted before it was done. ``call`` is the HTTP call."""

    at: AwareDatetime
    operation: str
    call: str


class GrantBegin(Frozen):
    """``POST /api/break-glass``."""

    reason: ReasonText
    minutes: Annotated[int, Field(ge=1, le=LONGEST_MINUTES)] = 30


class GrantReview(Frozen):
    """``POST /api/break-glass/{id}/review``."""

    note: ReasonText


class GrantView(Frozen):
    """A grant with what was done under it: the ``changes`` of the log that bear its mark, and what else was asked for."""

    grant: Grant
    in_force: bool
    changes: tuple[Change, ...]
    deeds: tuple[Deed, ...]


class GrantList(Frozen):
    """``GET /api/break-glass``: newest first. ``unreviewed`` counts those that are over and nobody has looked at."""

    grants: tuple[GrantView, ...]
    unreviewed: int
