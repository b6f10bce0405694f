"""What a second pair of eyes is for: requests that wait for a second person, rights that were taken for a time, and what is
scheduled. Light rows read from the API's JSON, like those of ``rows``."""

from __future__ import annotations

from collections.abc import Iterable
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


class Oversight(NamedTuple):
    """All of it, as it was at ``asked_at`` (monotonic seconds); ``known`` is false before that and where the key may not know,
    and ``refusal`` says so then."""

    known: bool = False
    approvals: tuple[ApprovalRow, ...] = ()
    grants: tuple[GrantRow, ...] = ()
    schedules: tuple[ScheduleRow, ...] = ()
    asked_at: float | None = None
    refusal: str = ""

    def waiting(self, now: float) -> tuple[ApprovalRow, ...]:
        """The requests that wait for a second person."""
        return tuple(row for row in self.approvals if row.waits(now))

    def own_grant(self, you: str, now: float) -> GrantRow | None:
        """The grant under which somebody of this name works now."""
        return next((row for row in self.grants if row.who == you and row.in_force(now)), None)

    def to_review(self, now: float) -> tuple[GrantRow, ...]:
        """The grants that are over and wait for somebody to look at them."""
        return tuple(row for row in self.grants if row.waits(now))

    def approval(self, approval_id: str) -> ApprovalRow | None:
        """A request by its id; None where the server hasn't told of it."""
        return next((row for row in self.approvals if row.approval_id == approval_id), None)

    def with_approval(self, data: Json) -> Oversight:
        """With one request as the server has just told it."""
        new = _approval(data)
        known = [new if row.approval_id == new.approval_id else row for row in self.approvals]
        return self._replace(approvals=tuple(known))

    def with_grant(self, data: Json) -> Oversight:
        """With one grant as the server has just told it."""
        new = _grant(data)
        return self._replace(grants=tuple(new if row.grant_id == new.grant_id else row for row in self.grants))

    def scheduled(self, flag_name: str) -> tuple[ScheduleRow, ...]:
        """What is scheduled for a flag."""
        return tuple(row for row in self.schedules if row.flag_name == flag_name)


def oversight_of(approvals: Iterable[Json], grants: Iterable[Json], schedules: Iterable[Json]) -> Oversight:
    """What the three calls answered."""
    return Oversight(
        True,
        tuple(map(_approval, approvals)),
        tuple(map(_grant, grants)),
        tuple(_schedule(item["schedule"]) for item in schedules),
    )


def _approval(data: Json) -> ApprovalRow:
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


def _grant(data: Json) -> GrantRow:
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


def _schedule(data: Json) -> ScheduleRow:
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
