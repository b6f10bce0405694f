"""What a second pair of eyes is for: requests that wait for a second person, rights that were taken for a time, and what is
scheduled. Its rows are in ``oversight_rows``: most consoles begin without any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from flagconsole.console.oversight_rows import ApprovalRow, GrantRow, ScheduleRow
    from flagconsole.console.rows import Json


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
        from flagconsole.console.oversight_rows import approval_row

        new = approval_row(data)
        known = [new if row.approval_id == new.approval_id else row for row in self.approvals]
        return self._replace(approvals=tuple(known))

    def with_grant(self, data: Json) -> Oversight:
        """With one grant as the server has just told it."""
        from flagconsole.console.oversight_rows import grant_row

        new = grant_row(data)
        return self._replace(grants=tuple(new if row.grant_id == new.grant_id else row for row in self.grants))

    def scheduled(self, flag_name: str) -> tuple[ScheduleRow, ...]:
        """What is scheduled for a flag."""
        return tuple(row for row in self.schedules if row.flag_name == flag_name)


def oversight_of(approvals: Iterable[Json], grants: Iterable[Json], schedules: Iterable[Json]) -> Oversight:
    """What the three calls answered."""
    from flagconsole.console.oversight_rows import approval_row, grant_row, schedule_row

    return Oversight(
        True,
        tuple(map(approval_row, approvals)),
        tuple(map(grant_row, grants)),
        tuple(schedule_row(item["schedule"]) for item in schedules),
    )
