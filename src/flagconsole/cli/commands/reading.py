"""``list`` and ``get``."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import age, moment, print_fields, print_json, print_table, state_cell, talk
from flagconsole.cli.parameters import DOMAIN, FILE, FLAG, STATE
from flagconsole.cli.suggestion import did_you_mean
from flagconsole.cli.table import Cell
from flagconsole.domain.errors import BeyondTenant, NotAllowed
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagconsole.cli.backend import Backend
    from flagconsole.cli.quick_listing import ListedFlag, Listing
    from flagconsole.cli.target import Target
    from flagconsole.domain.schedule import ScheduleView
    from flagconsole.domain.views import FlagDetail, FlagListing, FlagView

AnyFlag = TypeVar("AnyFlag", "FlagView", "ListedFlag")


@click.command("list")
@click.option("--domain", type=DOMAIN, metavar="D", help="Only flags of this domain, such as invoices.")
@click.option("--state", type=STATE, help="Only flags in this state.")
@click.option("--stale", is_flag=True, help="Only flags that are due for removal, with the reasons.")
@click.option("--unused-days", type=click.IntRange(1, 3650), help="With --stale: days without operations [30].")
@click.option("--code", type=FILE, metavar="PATH", help="With --stale: where the code below PATH still names them.")
@prints
def list_flags(
    invocation: Invocation,
    domain: str | None,
    state: FlagState | None,
    stale: bool,
    unused_days: int | None,
    code: str | None,
) -> None:
    """List the flags, and with a tenant what it gets."""
    if stale:
        from flagconsole.cli.stale_report import show_stale

        show_stale(invocation, domain, state, unused_days, code)
        return
    if code is not None or unused_days is not None:
        raise click.UsageError("--code and --unused-days go with --stale", click.get_current_context())

    quick = None if invocation.as_json else _quick(invocation)
    if quick is not None:
        _print_listing(quick, _shown(quick.flags, domain, state))
        return
    listing = invocation.run(_whole)
    flags = _shown(listing.flags, domain, state)
    if not invocation.as_json:
        _print_listing(listing, flags)
        return
    names = {flag.flag_name for flag in flags}
    print_json(
        listing.model_copy(
            update={
                "flags": tuple(flags),
                "overrides": tuple(item for item in listing.overrides if item.flag_name in names),
                "effective_states": {name: item for name, item in listing.effective_states.items() if name in names},
                "evaluations": {name: item for name, item in listing.evaluations.items() if name in names},
            }
        )
    )


def _quick(invocation: Invocation) -> Listing | None:
    from flagconsole.cli.quick_listing import quick_listing

    return quick_listing(invocation.target())


async def _whole(backend: Backend, target: Target) -> FlagListing:
    return await backend.flags(target.tenant)


def _shown(flags: Sequence[AnyFlag], domain: str | None, state: FlagState | None) -> list[AnyFlag]:
    """Those that were asked for; says so where there can't be any."""
    domains = {_domain(flag.flag_name) for flag in flags}
    if domain is not None and domain not in domains:
        talk(f"no flag is in this domain.{did_you_mean(domain, domains)}")
    elif not flags:
        talk("the store has no flags; load some with: flagconsole init")
    return [flag for flag in flags if _wanted(flag, domain, state)]


def _domain(flag_name: str) -> str:
    return flag_name.partition(".")[0]


def _wanted(flag: FlagView | ListedFlag, domain: str | None, state: FlagState | None) -> bool:
    return (domain is None or _domain(flag.flag_name) == domain) and (state is None or flag.current_state is state)


def _print_listing(listing: FlagListing | Listing, flags: Sequence[FlagView | ListedFlag]) -> None:
    if not flags:
        return
    header = ["FLAG", "STATE", "COHORT", "TYPE"]
    if listing.tenant_id is not None:
        header.append("GETS")
    rows = []
    for flag in flags:
        row: list[Cell | str] = [flag.flag_name, state_cell(flag.current_state), _cohort(flag), flag.flag_type.value]
        if listing.tenant_id is not None:
            evaluation = listing.evaluations[flag.flag_name]
            row.append(Cell(f"{evaluation.state.value} ({evaluation.because})", state_cell(evaluation.state).colour))
        last = flag.last_change
        row += (
            ["", "", ""] if last is None else [age(last.changed_at, listing.now), last.changed_by, last.change_reason]
        )
        rows.append(row)
    print_table([*header, "CHANGED", "BY", "WHY"], rows)


def _cohort(flag: FlagView | ListedFlag) -> str:
    if flag.current_state is not FlagState.CANARY:
        return ""
    chosen = len(flag.canary_tenant_ids)
    return f"{chosen} tenant{'s' * (chosen != 1)}" if chosen else f"{flag.canary_percentage} %"


@click.command("get")
@click.argument("flag", type=FLAG)
@prints
def get(invocation: Invocation, flag: str) -> None:
    """Show one flag, and with a tenant what it gets and why."""

    async def work(backend: Backend, target: Target) -> tuple[FlagDetail, tuple[ScheduleView, ...] | None]:
        detail = await backend.flag(flag, target.tenant)
        try:
            return detail, (await backend.schedules(flag, open_only=True)).schedules
        except (NotAllowed, BeyondTenant):
            return detail, None  # for keys of the whole fleet

    detail, scheduled = invocation.run(work)
    if invocation.as_json:
        more = None if scheduled is None else [view.model_dump(mode="json") for view in scheduled]
        print_json(detail, schedules=more)
    else:
        print_fields(_fields(detail) + [("scheduled", _scheduled(view)) for view in scheduled or ()])
    from flagconsole.cli.wording import warn_unknown

    warn_unknown(detail)


def _scheduled(view: ScheduleView) -> str:
    from flagconsole.cli.commands.schedule import status_text, when_text

    planned = view.schedule
    return (
        f"{planned.wanted} {when_text(planned)}, {status_text(planned)} ({planned.schedule_id}, {planned.created_by})"
    )


def _rollback_time(flag: FlagView) -> str:
    """In seconds, and whether that is what a flag has for which nobody said anything."""
    is_default = flag.rollback_time_seconds == type(flag).model_fields["rollback_time_seconds"].default
    return f"{flag.rollback_time_seconds} s{' (the default)' if is_default else ''}"


def _fields(detail: FlagDetail) -> list[tuple[str, Cell | str]]:
    flag = detail.flag
    state = state_cell(flag.current_state)
    fields: list[tuple[str, Cell | str]] = [
        ("flag", flag.flag_name),
        ("state", state._replace(text=f"{state.text.split()[0]} {flag.setting.describe()}")),
        ("type", flag.flag_type.value + (", kill switch" if flag.is_kill_switch else "")),
        ("description", flag.description),
        ("affects", ", ".join(flag.affects)),
        ("depends on", ", ".join(flag.dependencies)),
        ("dependents", ", ".join(detail.dependents)),
        ("rollback takes", _rollback_time(flag)),
        ("owner", flag.owner),
        ("tags", ", ".join(flag.tags)),
        ("expires on", "" if flag.expires_on is None else flag.expires_on.isoformat()),
        ("plan", flag.plan),
        ("version", str(flag.version)),
        ("created", f"{moment(flag.created_at)} by {flag.created_by}"),
    ]
    last = flag.last_change
    if last is not None:
        fields.append(("last change", f"{moment(last.changed_at)} by {last.changed_by}: {last.change_reason}"))
    if detail.evaluation is not None:
        because = detail.evaluation.reason.value
        if detail.evaluation.dependency is not None:
            because += f" {detail.evaluation.dependency}"
        gets = state_cell(detail.evaluation.state)
        fields.append((f"tenant {detail.tenant_id}", gets._replace(text=f"{gets.text} ({because})")))
    if detail.override is not None:
        until = "" if detail.override.expires_at is None else f" until {moment(detail.override.expires_at)}"
        reason = f"{detail.override.override_state.value}{until}: {detail.override.override_reason}"
        fields.append(("override", f"{reason} ({detail.override.created_by})"))
    return [(name, value) for name, value in fields if (value.text if isinstance(value, Cell) else value)]
