"""What a second pair of eyes is for: requests that wait for a second person, rights that were taken for a time, and what is
scheduled. Light rows read from the API's JSON, like those of ``rows``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from flagconsole.console.rows import Json, seconds_of


class ApprovalRow(NamedTuple):
    """A request that raises exposure. Times are seconds since the epoch."""

    approval_id: str
    flag_name: str
    who: str
    ends_at: float
    allowed_by: str
    used_at: float | None

    def waits(self, now: float) -> bool:
        """Whether nobody has allowed it, and it can still be."""
        return not self.allowed_by and self.used_at is None and now < self.ends_at


class GrantRow(NamedTuple):
    """Admin's rights that were taken for a time."""

    grant_id: str
    who: str
    ends_at: float
    ended_at: float | None

    def in_force(self, now: float) -> bool:
        """Whether its holder has the rights."""
        return self.ended_at is None and now < self.ends_at


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
    """All of it, as it was when it was last asked for; ``known`` is false before that and where the key may not know."""

    known: bool = False
    approvals: tuple[ApprovalRow, ...] = ()
    grants: tuple[GrantRow, ...] = ()
    schedules: tuple[ScheduleRow, ...] = ()

    def waiting(self, now: float) -> tuple[ApprovalRow, ...]:
        """The requests that wait for a second person."""
        return tuple(row for row in self.approvals if row.waits(now))

    def own_grant(self, you: str, now: float) -> GrantRow | None:
        """The grant under which somebody of this name works now."""
        return next((row for row in self.grants if row.who == you and row.in_force(now)), None)

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
    )


def _grant(data: Json) -> GrantRow:
    grant = data["grant"]
    return GrantRow(
        str(grant["grant_id"]),
        str(grant.get("taken_by") or ""),
        seconds_of(grant.get("ends_at")) or 0.0,
        seconds_of(grant.get("ended_at")),
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
