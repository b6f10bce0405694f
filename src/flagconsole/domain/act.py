"""Acts: what was done that changes no flag, but who may change one, with whose consent, when and by which plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from flagconsole.domain.audit import hash_of
from flagconsole.domain.flag import Frozen


class ActKind(StrEnum):
    """What was done."""

    KEY_CREATED = "key_created"
    KEY_ROTATED = "key_rotated"
    KEY_REVOKED = "key_revoked"
    BREAK_GLASS_BEGUN = "break_glass_begun"
    BREAK_GLASS_USED = "break_glass_used"
    BREAK_GLASS_ENDED = "break_glass_ended"
    BREAK_GLASS_REVIEWED = "break_glass_reviewed"
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_GIVEN = "approval_given"
    APPROVAL_DECLINED = "approval_declined"
    SCHEDULE_CREATED = "schedule_created"
    SCHEDULE_CANCELLED = "schedule_cancelled"
    CHECKLIST_TICKED = "checklist_ticked"
    PLAN_WRITTEN = "plan_written"
    PLAN_REMOVED = "plan_removed"
    ENVIRONMENT_CREATED = "environment_created"
    ENVIRONMENT_RENAMED = "environment_renamed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActDraft:
    """An act before the store gives it its number and hash. ``subject`` is the id or name of what it was done to, ``details`` what else
    would be worth forging; nothing secret."""

    kind: ActKind
    subject: str
    by: str
    at: datetime
    key_id: str | None = None
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    break_glass: str | None = None


class Act(Frozen):
    """One entry of the log of acts. Its id is one higher than that of the act before. ``revision`` is the store's revision when it was done:
    it follows that change of a flag. ``key_id`` is the key that it was done with, None for whoever did it on the store itself. ``break_glass`` names the grant of admin's rights under which it was done."""

    act_id: Annotated[int, Field(ge=1)]
    epoch: str
    revision: Annotated[int, Field(ge=0)]
    kind: ActKind
    subject: str
    details: dict[str, Any]
    reason: str | None = None
    done_by: str
    key_id: str | None = None
    done_at: AwareDatetime
    break_glass: str | None = None
    previous_hash: str
    hash: str

    @property
    def number(self) -> int:
        """Its place in the chain."""
        return self.act_id


class ActPage(Frozen):
    """``GET /api/audit/log``: newest first. ``act_id`` and ``act_hash`` are the newest act's; ``next_before`` asks for the next page."""

    epoch: str
    act_id: int
    act_hash: str
    acts: tuple[Act, ...]
    next_before: int | None = None


def sealed(draft: ActDraft, *, act_id: int, epoch: str, revision: int, previous_hash: str) -> Act:
    """The act with its place in the chain."""
    act = Act(
        act_id=act_id,
        epoch=epoch,
        revision=revision,
        kind=draft.kind,
        subject=draft.subject,
        details=dict(draft.details),
        reason=draft.reason,
        done_by=draft.by,
        key_id=draft.key_id,
        done_at=draft.at,
        break_glass=draft.break_glass,
        previous_hash=previous_hash,
        hash="",
    )
    return act.model_copy(update={"hash": hash_of(act)})
