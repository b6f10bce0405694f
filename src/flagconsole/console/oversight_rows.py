"""Requests that wait for a second person, rights that were taken for a time, and what is scheduled: light rows read from the
API's JSON, like those of ``rows``."""

from __future__ import annotations

from typing import NamedTuple

from flagconsole.console.json_values import json_object
from flagconsole.console.rows import ChangeRow, Json, change_row, seconds_of


class ApprovalRow(NamedTuple):
    """A request that raises exposure: which operation, with which JSON. Times are seconds since the epoch."""

    approval_id: str
    flag_name: str
    who: str
    ends_at: float
    allowed_by: str
    used_at: float | None
    operation: str = ""
    request: str = ""
    asked_at: float = 0.0
    allowed_at: float | None = None
    declined_by: str = ""
    declined_at: float | None = None
    decline_reason: str = ""

    def open(self, now: float) -> bool:
        """Whether it can still be allowed, or done where it was."""
        return self.used_at is None and self.declined_at is None and now < self.ends_at

    def waits(self, now: float) -> bool:
        """Whether nobody has allowed it, and it can still be."""
        return not self.allowed_by and self.open(now)

    @property
    def asked(self) -> Json:
        """What was asked for; empty where it can't be read."""
        return json_object(self.request)

    @property
    def reason(self) -> str:
        """Why it was asked for, as whoever asked wrote it."""
        return next((str(value) for name, value in self.asked.items() if name.endswith("_reason")), "")


class DeedRow(NamedTuple):
    """Something that was asked for under such rights and isn't a change of the log: the HTTP call, noted before it was done."""

    at: float
    call: str


class GrantRow(NamedTuple):
    """Admin's rights that were taken for a time, and what was done with them."""

    grant_id: str
    who: str
    ends_at: float
    ended_at: float | None
    reason: str = ""
    began_at: float = 0.0
    reviewed_at: float | None = None
    reviewed_by: str = ""
    note: str = ""
    changes: tuple[ChangeRow, ...] = ()
    deeds: tuple[DeedRow, ...] = ()

    def in_force(self, now: float) -> bool:
        """Whether its holder has the rights."""
        return self.ended_at is None and now < self.ends_at

    def waits(self, now: float) -> bool:
        """Whether it is over and nobody has looked at what was done."""
        return not self.in_force(now) and self.reviewed_at is None

    @property
    def over_at(self) -> float:
        """When it ended or ends."""
        return self.ends_at if self.ended_at is None else min(self.ended_at, self.ends_at)


class ScheduleRow(NamedTuple):
    """A change that is put down for later. ``at`` is None where it follows a phase, which ``after`` names."""

    schedule_id: str
    flag_name: str
    wanted: str
    at: float | None
    after: str
    who: str
    status: str
    because: str


def approval_row(data: Json) -> ApprovalRow:
    """The row of a request."""
    return ApprovalRow(
        str(data["approval_id"]),
        str(data["flag_name"]),
        str(data.get("requested_by") or ""),
        seconds_of(data.get("ends_at")) or 0.0,
        str(data.get("approved_by") or ""),
        seconds_of(data.get("used_at")),
        str(data.get("operation") or ""),
        str(data.get("request") or ""),
        seconds_of(data.get("requested_at")) or 0.0,
        seconds_of(data.get("approved_at")),
        str(data.get("declined_by") or ""),
        seconds_of(data.get("declined_at")),
        str(data.get("decline_reason") or ""),
    )


def grant_row(data: Json) -> GrantRow:
    """The row of a grant, as the API tells it with what was done under it."""
    grant = data["grant"]
    return GrantRow(
        str(grant["grant_id"]),
        str(grant.get("taken_by") or ""),
        seconds_of(grant.get("ends_at")) or 0.0,
        seconds_of(grant.get("ended_at")),
        str(grant.get("reason") or ""),
        seconds_of(grant.get("began_at")) or 0.0,
        seconds_of(grant.get("reviewed_at")),
        str(grant.get("reviewed_by") or ""),
        str(grant.get("review_note") or ""),
        tuple(map(change_row, data.get("changes") or ())),
        tuple(
            DeedRow(seconds_of(deed.get("at")) or 0.0, str(deed.get("call") or "")) for deed in data.get("deeds") or ()
        ),
    )


def schedule_row(data: Json) -> ScheduleRow:
    """The row of a schedule."""
    share = data.get("canary_percentage")
    after = data.get("after") or {}
    of = "" if after.get("flag_name") == data["flag_name"] else f" of {after.get('flag_name')}"
    return ScheduleRow(
        str(data["schedule_id"]),
        str(data["flag_name"]),
        str(data.get("current_state")) + (f" {share} %" if isinstance(share, int) else ""),
        seconds_of(data.get("at")),
        f"{after.get('phase')}{of}" if after else "",
        str(data.get("created_by") or ""),
        str(data.get("status") or ""),
        str(data.get("because") or ""),
    )
