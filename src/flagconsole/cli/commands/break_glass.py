"""``break-glass``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import moment, print_json, say, talk
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.break_glass import GrantList, GrantView


@click.group("break-glass", cls=SuggestingGroup)
def break_glass() -> None:
    """Take admin's rights for a limited time, with a reason; what is done with them is marked and reviewed.

    A kill, a hold and a rollback need none of this: every operator may do them.
    """


@break_glass.command("begin")
@click.argument("reason")
@click.option("--minutes", type=click.IntRange(1, 240), default=30, show_default=True, help="How long.")
@prints
def begin(invocation: Invocation, reason: str, minutes: int) -> None:
    """Give this operator's key admin's rights, because of REASON."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.break_glass import GrantBegin

    request = ask(GrantBegin, reason=reason, minutes=minutes)

    async def work(backend: Backend, target: Target) -> GrantView:
        return await backend.begin_break_glass(request)

    view = invocation.run(work)
    if invocation.as_json:
        print_json(view)
        return
    say(view.grant.grant_id)
    talk(f"admin's rights until {moment(view.grant.ends_at)}; everything done with them is marked and will be reviewed")


@break_glass.command("end")
@click.argument("grant_id", metavar="ID")
@prints
def end(invocation: Invocation, grant_id: str) -> None:
    """Give the rights back before their time is over."""

    async def work(backend: Backend, target: Target) -> GrantView:
        return await backend.end_break_glass(grant_id)

    _show(invocation, invocation.run(work))


@break_glass.command("list")
@click.option("--unreviewed", is_flag=True, help="Only those that are over and that nobody has looked at.")
@prints
def list_grants(invocation: Invocation, unreviewed: bool) -> None:
    """Show who took admin's rights when and why, and everything that was done with them."""

    async def work(backend: Backend, target: Target) -> GrantList:
        return await backend.break_glass()

    found = invocation.run(work)
    if unreviewed:
        open_ones = tuple(view for view in found.grants if not view.in_force and view.grant.reviewed_at is None)
        found = found.model_copy(update={"grants": open_ones})
    if invocation.as_json:
        print_json(found)
        return
    for view in found.grants:
        _say(view)
    talk(f"{found.unreviewed} to review" if found.unreviewed else "nothing to review")


@break_glass.command("review")
@click.argument("grant_id", metavar="ID")
@click.argument("note")
@prints
def review(invocation: Invocation, grant_id: str, note: str) -> None:
    """Say with a NOTE that you have looked at what somebody else did."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.break_glass import GrantReview

    request = ask(GrantReview, note=note)

    async def work(backend: Backend, target: Target) -> GrantView:
        return await backend.review_break_glass(grant_id, request)

    _show(invocation, invocation.run(work))


def _show(invocation: Invocation, view: GrantView) -> None:
    if invocation.as_json:
        print_json(view)
    else:
        _say(view)


def _say(view: GrantView) -> None:
    grant = view.grant
    until = moment(grant.ended_at or grant.ends_at)
    say(f"{grant.grant_id}  {safe_text(grant.taken_by, 200)}  {moment(grant.began_at)} to {until}{_state(view)}")
    say(f"  because: {safe_text(grant.reason)}")
    for change in view.changes:
        what = f"{safe_text(change.flag_name, 200)} {change.action.value}: {safe_text(change.change_reason)}"
        say(f"  {moment(change.changed_at)}  change {change.change_id}  {what}")
    for deed in view.deeds:
        say(f"  {moment(deed.at)}  asked for {safe_text(deed.operation)}  {safe_text(deed.call, 300)}")


def _state(view: GrantView) -> str:
    if view.in_force:
        return "  IN FORCE"
    grant = view.grant
    if grant.reviewed_at is None:
        return "  not reviewed"
    return f"  reviewed by {safe_text(grant.reviewed_by, 200)}: {safe_text(grant.review_note)}"
