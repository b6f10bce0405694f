"""``history``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import moment, print_json, print_table, talk
from flagconsole.cli.table import Cell

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.views import HistoryPage

_COLOURS = {"killed": "red", "revived": "green", "rolled_back": "yellow"}


@click.command("history")
@click.argument("flag", required=False)
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many changes.")
@click.option("--before", type=click.IntRange(1), metavar="ID", help="Only changes older than this one.")
@click.option("--domain", metavar="D", help="Only flags of this domain.")
@prints
def history(invocation: Invocation, flag: str | None, limit: int, before: int | None, domain: str | None) -> None:
    """Show the changes of FLAG, or of all flags, newest first. With --tenant only those of this tenant."""
    if flag is not None and domain is not None:
        raise click.UsageError("give FLAG or --domain, not both", click.get_current_context())

    async def work(backend: Backend, target: Target) -> HistoryPage:
        tenant = target.asked_tenant
        return await backend.history(flag, limit=limit, before=before, tenant_id=tenant, domain=domain)

    page = invocation.run(work)
    if invocation.as_json:
        print_json(page)
        return
    _print(page, one_flag=flag is not None)
    if page.next_before is not None:
        talk(f"older ones: --before {page.next_before}")
    elif not page.changes:
        talk("no changes")


def _print(page: HistoryPage, *, one_flag: bool) -> None:
    from flagconsole.cli.wording import transition

    if not page.changes:
        return
    tenants = any(change.tenant_id for change in page.changes)
    header = ["ID", "WHEN", *([] if one_flag else ["FLAG"]), *(["TENANT"] if tenants else []), "WHAT", "BY", "WHY"]
    rows = []
    for change in page.changes:
        row: list[Cell | str] = [str(change.change_id), moment(change.changed_at)]
        if not one_flag:
            row.append(change.flag_name)
        if tenants:
            row.append(change.tenant_id or "")
        reverts = f" (reverts {', '.join(map(str, change.reverts))})" if change.reverts else ""
        row += [Cell(transition(change) + reverts, _COLOURS.get(change.action.value)), change.changed_by]
        row.append(change.change_reason)
        rows.append(row)
    print_table(header, rows)
