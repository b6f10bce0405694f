"""``approvals``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import moment, print_json, print_table, say, talk, when
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.table import Cell
    from flagconsole.cli.target import Target
    from flagconsole.domain.approval import Approval, ApprovalList


@click.group("approvals", cls=SuggestingGroup)
def approvals() -> None:
    """Allow or decline what somebody else asked for, where the environment wants two people for what raises exposure."""


@approvals.command("list")
@prints
def list_approvals(invocation: Invocation) -> None:
    """Show what waits for a second person, and what became of the rest."""

    async def work(backend: Backend, target: Target) -> ApprovalList:
        return await backend.approvals()

    found = invocation.run(work)
    if invocation.as_json:
        print_json(found)
    elif found.approvals:
        print_table(["ID", "WHEN", "BY", "FLAG", "WHAT", "STATE"], [_row(approval) for approval in found.approvals])
    else:
        talk("nothing was asked")


@approvals.command("approve")
@click.argument("approval_id", metavar="ID")
@prints
def approve(invocation: Invocation, approval_id: str) -> None:
    """Allow it. Whoever asked can carry it out within the hour, once, by asking the same again."""

    async def work(backend: Backend, target: Target) -> Approval:
        return await backend.approve(approval_id)

    approval = invocation.run(work)
    if invocation.as_json:
        print_json(approval)
    else:
        what = f"{safe_text(approval.operation)} of {safe_text(approval.flag_name, 200)}"
        say(
            f"{approval.approval_id}: {safe_text(approval.requested_by, 200)} may {what} until {moment(approval.ends_at)}"
        )


@approvals.command("decline")
@click.argument("approval_id", metavar="ID")
@click.argument("reason")
@prints
def decline(invocation: Invocation, approval_id: str, reason: str) -> None:
    """Refuse it because of REASON, or take back the consent to what wasn't done yet."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.approval import ApprovalDecline

    request = ask(ApprovalDecline, decline_reason=reason)

    async def work(backend: Backend, target: Target) -> Approval:
        return await backend.decline(approval_id, request)

    approval = invocation.run(work)
    if invocation.as_json:
        print_json(approval)
    else:
        say(f"{approval.approval_id}: {_state(approval)}")


def _row(approval: Approval) -> list[Cell | str]:
    what = f"{approval.operation} {approval.request}"
    at, by = when(approval.requested_at), approval.requested_by
    return [approval.approval_id, at, by, approval.flag_name, what, _state(approval)]


def _state(approval: Approval) -> str:
    if approval.declined_by is not None:
        return f"declined by {safe_text(approval.declined_by, 200)}: {safe_text(approval.decline_reason)}"
    if approval.used_at is not None:
        return f"done {moment(approval.used_at)}, allowed by {safe_text(approval.approved_by, 200)}"
    if approval.approved_by is not None:
        return f"allowed by {safe_text(approval.approved_by, 200)} until {moment(approval.ends_at)}"
    return "waits"
