"""``audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import print_json, say, talk
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.views import AuditReport


@click.group("audit", cls=SuggestingGroup)
def audit() -> None:
    """Check that nobody has edited the log."""


@audit.command("verify")
@prints
def verify(invocation: Invocation) -> None:
    """Recompute the hash chain of the whole log. Exits with 4 and names the first broken entry when it doesn't hold.

    Compare the head's hash with one that was kept elsewhere: a tail that was cut off can't be seen from inside.
    """

    async def work(backend: Backend, target: Target) -> AuditReport:
        return await backend.verify_audit()

    report = invocation.run(work)
    if invocation.as_json:
        print_json(report)
    elif report.verified:
        say(f"verified {report.entries} entries; head is revision {report.head_revision}, {report.head_hash}")
    if not report.verified:
        talk(f"BROKEN at entry {report.first_broken}: {safe_text(report.problem)}")
        click.get_current_context().exit(ExitCode.REFUSED)
