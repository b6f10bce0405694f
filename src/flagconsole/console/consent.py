"""The second person's consent: how a request stands, what became of it meanwhile, and who may give or refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.console.ages import moment_text
from flagconsole.console.glyphs import DONE
from flagconsole.console.oversight_rows import ApprovalRow

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp


def standing(row: ApprovalRow, now: float) -> tuple[str, str]:
    """How a request stands, as a sign with a word, and its role."""
    if row.declined_at is not None:
        return "– declined", "muted"
    if row.used_at is not None:
        return f"{DONE} done", "good"
    if now >= row.ends_at:
        return "– ran out", "muted"
    return (f"{DONE} allowed", "good") if row.allowed_by else ("! waits", "warning")


def why_over(row: ApprovalRow, now: float) -> str:
    """What ended a request, by whom and why, for whoever was about to decide; empty where it can still be allowed or used."""
    if row.declined_at is not None:
        return f"{row.declined_by} declined it at {moment_text(row.declined_at, now)}Z: “{row.decline_reason}”"
    if row.used_at is not None:
        return f"{row.who} has done it, at {moment_text(row.used_at, now)}Z"
    return "it ran out" if now >= row.ends_at else ""


def why_not_waiting(row: ApprovalRow, now: float) -> str:
    """Why a request needs nobody's consent any more; empty where it waits for it."""
    return why_over(row, now) or (f"{row.allowed_by} has allowed it" if row.allowed_by else "")


def why_not_you(console: ConsoleApp, row: ApprovalRow) -> str:
    """Why whoever sits here can't allow a request; empty where they can."""
    connection, oversight = console.state.connection, console.state.oversight
    if not connection.may_administer:
        return f"allowing takes an admin's key; yours is {connection.role or 'not known'}'s"
    if row.who == connection.you:
        return "you asked for it yourself: somebody else has to allow it"
    if oversight.own_grant(connection.you, console.server_now()) is not None:
        return "with rights that were taken for a time (break-glass) nobody allows anything"
    return ""


def why_not_declined(console: ConsoleApp, row: ApprovalRow) -> str:
    """Why whoever sits here can't decline a request; empty where they can. It lowers what may be done, so that any admin may, be it
    their own request, and under break-glass too."""
    connection = console.state.connection
    if over := why_over(row, console.server_now()):
        return f"nothing is left to decline: {over}"
    if not connection.may_administer:
        return f"declining takes an admin's key; yours is {connection.role or 'not known'}'s"
    return ""
