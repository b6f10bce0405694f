"""``history``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import moment, print_json, print_table, talk, when
from flagconsole.cli.parameters import DOMAIN, FLAG, PAST_MOMENT
from flagconsole.cli.table import Cell

if TYPE_CHECKING:
    from flagconsole.cli.around import Around
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.change import Change
    from flagconsole.domain.views import HistoryPage

_COLOURS = {"killed": "red", "revived": "green", "rolled_back": "yellow"}


@click.command("history")
@click.argument("flag", type=FLAG, required=False)
@click.option(
    "--around",
    type=PAST_MOMENT,
    metavar="TIME",
    help="The changes nearest to TIME first: 03:14, 20m (ago), or 2026-11-22T03:14Z.",
)
@click.option("--window", metavar="D", help="With --around: so far from it at most, such as 30m or 2h [30m].")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many changes.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Only changes older than this one.")
@click.option("--domain", type=DOMAIN, metavar="D", help="Only flags of this domain.")
@prints
def history(
    invocation: Invocation,
    flag: str | None,
    around: datetime | None,
    window: str | None,
    limit: int,
    before: int | None,
    domain: str | None,
) -> None:
    """Show the changes of FLAG, or of all flags, newest first. With --tenant only those of this tenant.

    What changed before it broke? --around 2026-11-22T03:14Z shows the changes of all flags that are nearest to that time;
    rollback --set undoes those that you choose.
    """
    if flag is not None and domain is not None:
        raise click.UsageError("give FLAG or --domain, not both", click.get_current_context())
    if around is not None:
        if before is not None:
            raise click.UsageError("give --around or --before, not both", click.get_current_context())
        _show_around(invocation, around, window or "30m", limit, flag, domain)
        return
    if window is not None:
        raise click.UsageError("--window goes with --around TIME", click.get_current_context())

    async def work(backend: Backend, target: Target) -> HistoryPage:
        tenant = target.asked_tenant
        return await backend.history(flag, limit=limit, before=before, tenant_id=tenant, domain=domain)

    page = invocation.run(work)
    if invocation.as_json:
        print_json(page)
        return
    _print([(change,) for change in page.changes], one_flag=flag is not None)
    if page.next_before is not None:
        talk(f"older ones: --before {page.next_before}")
    elif not page.changes:
        talk("no changes")


def _show_around(
    invocation: Invocation, around: datetime, window: str, limit: int, flag: str | None, domain: str | None
) -> None:
    from flagconsole.cli.around import MOST, changes_around, told_together
    from flagconsole.domain.duration import parse_duration

    seconds = parse_duration(window, "window", least=1, most=365 * 86_400)

    async def work(backend: Backend, target: Target) -> Around:
        tenant = target.asked_tenant
        return await changes_around(
            backend, around, timedelta(seconds=seconds), flag=flag, tenant=tenant, domain=domain
        )

    found = invocation.run(work)
    if invocation.as_json:
        changes = [
            change.model_dump(mode="json") | {"apart_seconds": (change.changed_at - around).total_seconds()}
            for change in found.changes[:limit]
        ]
        whole = {"around": around.astimezone(UTC).isoformat(), "window_seconds": seconds, "found": len(found.changes)}
        print_json({**whole, "complete": found.complete, "changes": changes})
        return
    happened = told_together(found.changes)
    shown = happened[:limit]
    _print(shown, one_flag=flag is not None, around=around)
    if not found.complete:
        talk(f"only the newest {MOST} of the window were looked at: choose a smaller --window")
    elif not shown:
        talk(f"no changes within {window} of {moment(around)}")
    elif len(shown) < len(happened):
        talk(f"{len(happened) - len(shown)} more, further away: --limit")


def _apart(change: Change, around: datetime) -> str:
    """How long before or after the moment, to the second."""
    from flagconsole.domain.duration import duration_text

    apart = round((change.changed_at - around).total_seconds())
    return f"{duration_text(abs(apart))} {'before' if apart <= 0 else 'after'}"


def _print(happened: Sequence[tuple[Change, ...]], *, one_flag: bool, around: datetime | None = None) -> None:
    """A row for each thing that happened: a change, or several that are told together."""
    from flagconsole.cli.wording import short_transition, transition

    if not happened:
        return
    tenants = any(change.tenant_id for changes in happened for change in changes)
    header = ["ID", "WHEN", *(["APART"] if around is not None else []), *([] if one_flag else ["FLAG"])]
    header += [*(["TENANT"] if tenants else []), "WHAT", "BY", "WHY"]
    rows = []
    for change, *others in happened:
        ids = f"{change.change_id}-{others[-1].change_id}" if others else str(change.change_id)
        row: list[Cell | str] = [ids, when(change.changed_at)]
        if around is not None:
            row.append(_apart(change, around))
        if not one_flag:
            row.append(f"{len(others) + 1} flags" if others else change.flag_name)
        if tenants:
            row.append(change.tenant_id or "")
        reverts = f" (reverts {', '.join(map(str, change.reverts))})" if change.reverts else ""
        by = change.changed_by
        if change.break_glass is not None:
            by += f" (break-glass {change.break_glass})"
        if change.approved_by is not None:
            by += f" (allowed by {change.approved_by})"
        colour = _COLOURS.get(change.action.value)
        what = Cell(transition(change) + reverts, colour, short=short_transition(change) + reverts)
        row += [Cell("created together") if others else what, by]
        row.append(change.change_reason)
        rows.append(row)
    print_table(header, rows, prose=2)
