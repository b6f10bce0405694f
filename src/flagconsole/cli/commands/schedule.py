"""``schedule``."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import moment, print_json, print_table, say, talk
from flagconsole.cli.parameters import FLAG, PERCENTAGE, StateType
from flagconsole.cli.reason import one_reason, with_reason
from flagconsole.domain.local_time import local_text, readings
from flagconsole.domain.states import FlagState
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.schedule import Schedule, ScheduleList, ScheduleView

_STATE = StateType(FlagState.OFF, FlagState.SHADOW, FlagState.CANARY, FlagState.ON)
_UTC = click.option("--utc", is_flag=True, help="Show times in UTC.")
_ZONE = click.option("--zone", metavar="ZONE", help="A time zone such as Europe/Berlin [this machine's].")


class _ScheduleGroup(SuggestingGroup):
    """``schedule FLAG …`` is ``schedule add FLAG …``: a flag's name has a dot, and no command has."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and "." in args[0]:
            args = ["add", *args]
        return super().resolve_command(ctx, args)


@click.group("schedule", cls=_ScheduleGroup)
def schedule() -> None:
    """Change a flag at a time, or once a phase of a rollout has ended."""


@schedule.command("add")
@click.argument("flag", type=FLAG)
@click.argument("state", type=_STATE)
@click.option("--percentage", type=PERCENTAGE, metavar="N", help="For a canary: so many percent of the tenants.")
@click.option(
    "--at", "at", metavar="TIME", help="When: 2026-12-01T18:00 on this machine's clock, or with an offset or Z."
)
@_ZONE
@click.option("--after-phase", metavar="PHASE", help="Once this phase of the rollout under way has ended.")
@click.option(
    "--of", "of", type=FLAG, metavar="FLAG", help="With --after-phase: of this flag's rollout [the flag's own]."
)
@_UTC
@with_reason
@changes
def add(
    invocation: Invocation,
    flag: str,
    state: FlagState,
    percentage: int | None,
    at: str | None,
    zone: str | None,
    after_phase: str | None,
    of: str | None,
    utc: bool,
    reason: str,
) -> None:
    """Set FLAG to STATE later. The words "schedule add" may be shortened to "schedule".

    It is carried out only if the flag is then as it is now; otherwise somebody is paged and decides.
    """
    from flagconsole.cli.asking import ask
    from flagconsole.domain.schedule import ScheduleCreate

    if (at is None) == (after_phase is None):
        raise click.UsageError("say when: with --at or with --after-phase", click.get_current_context())
    if of is not None and after_phase is None:
        raise click.UsageError("--of goes with --after-phase", click.get_current_context())
    if (state is FlagState.CANARY) != (percentage is not None):
        raise click.UsageError("--percentage goes with canary, and canary with it", click.get_current_context())
    place = _zone(zone)
    body = ask(
        ScheduleCreate,
        change_reason=reason,
        current_state=state,
        canary_percentage=percentage,
        at=None if at is None else _moment(at, place),
        after_phase=after_phase,
        after_flag=of,
    )

    async def work(backend: Backend, target: Target) -> ScheduleView:
        seen = await backend.flag(flag)
        return await backend.schedule(
            flag,
            body,
            version=seen.flag.version,
            idempotency_key=invocation.idempotency_key,
            dry_run=invocation.dry_run,
        )

    view = invocation.run(work)
    if invocation.as_json:
        print_json(view)
        return
    made, would = view.schedule, "would be scheduled" if view.dry_run else "scheduled"
    again = " (done before by this request, not again)" if view.replayed else ""
    say(
        f"{made.flag_name}: {made.wanted} {would} {when_text(made, place, utc=utc)}"
        f"{'' if view.dry_run else f' ({made.schedule_id})'}{again}"
    )


@schedule.command("list")
@click.option("--flag", "flag", type=FLAG, metavar="FLAG", help="Only of this flag.")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@_ZONE
@_UTC
@prints
def list_schedules(invocation: Invocation, flag: str | None, everything: bool, zone: str | None, utc: bool) -> None:
    """Show what is scheduled, what is suspended, and what waits for a decision."""
    place = _zone(zone)

    async def work(backend: Backend, target: Target) -> ScheduleList:
        return await backend.schedules(flag, open_only=not everything)

    found = invocation.run(work)
    if invocation.as_json:
        print_json(found)
    elif found.schedules:
        rows = [_row(view.schedule, place, utc) for view in found.schedules]
        print_table(["ID", "FLAG", "TO", "WHEN", "STATUS", "BY", "WHY"], rows)
    else:
        talk("nothing is scheduled")


@schedule.command("cancel")
@click.argument("schedule_id", metavar="ID")
@click.argument("words", metavar="[REASON]", nargs=-1)
@click.option("--reason", metavar="TEXT", help="Why; the same as REASON.")
@changes
def cancel(invocation: Invocation, schedule_id: str, words: tuple[str, ...], reason: str | None) -> None:
    """Let a scheduled change not happen."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.schedule import ScheduleCancel

    body = ask(ScheduleCancel, cancel_reason=one_reason(words, reason, "cancelled"))

    async def work(backend: Backend, target: Target) -> ScheduleView:
        return await backend.cancel_schedule(
            schedule_id, body, idempotency_key=invocation.idempotency_key, dry_run=invocation.dry_run
        )

    view = invocation.run(work)
    if invocation.as_json:
        print_json(view)
    else:
        would = "would be cancelled" if view.dry_run else "cancelled"
        say(f"{view.schedule.schedule_id}: {view.schedule.flag_name} to {view.schedule.wanted} {would}")


def when_text(schedule: Schedule, zone: tzinfo | None = None, *, utc: bool = False) -> str:
    """When it is to happen: in local time with the zone and in UTC, or after which phase."""
    if schedule.at is not None:
        return f"at {moment(schedule.at)}" if utc else f"at {local_text(schedule.at, zone)} ({moment(schedule.at)})"
    assert schedule.after is not None, "it has a time or follows a phase"
    of = "" if schedule.of_own_rollout else f" of {schedule.after.flag_name}"
    return f"after {safe_text(schedule.after.phase, 100)}{of}"


def status_text(schedule: Schedule) -> str:
    """How it stands, and why."""
    status = schedule.status.value.replace("_", " ")
    return f"{status}: {safe_text(schedule.because, 300)}" if schedule.because else status


def _row(schedule: Schedule, zone: tzinfo | None, utc: bool) -> list[str]:
    return [
        schedule.schedule_id,
        schedule.flag_name,
        schedule.wanted,
        when_text(schedule, zone, utc=utc),
        status_text(schedule),
        schedule.created_by,
        schedule.change_reason,
    ]


def _zone(name: str | None) -> tzinfo | None:
    if name is None:
        return None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise click.UsageError(f"{name!r} is not a time zone like Europe/Berlin", click.get_current_context()) from None


def _moment(text: str, zone: tzinfo | None) -> datetime:
    """The moment that is meant. Raises a usage error for what isn't a time, and where the clock shows it twice or never."""
    context = click.get_current_context()
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--at: {text!r} is not a time like 2026-12-01T18:00", context) from None
    try:
        if given.tzinfo is not None:
            return given.astimezone(UTC)
        found = readings(given, zone)
    except (OverflowError, OSError, ValueError):
        raise click.UsageError(f"--at: {text!r} is beyond all clocks", context) from None
    if found.clear:
        return found.first
    why = "comes twice" if found.exists else "doesn't exist"
    raise click.UsageError(
        f"--at: {text} {why} on this clock (it is put {'back' if found.exists else 'forward'}); say which in UTC: "
        f"{found.first:%Y-%m-%dT%H:%M:%SZ} or {found.second:%Y-%m-%dT%H:%M:%SZ}",
        context,
    )
