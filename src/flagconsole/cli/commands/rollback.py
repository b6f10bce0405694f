"""``rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.reason import with_reason

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.views import ChangeResult


@click.command("rollback")
@click.argument("flag")
@click.option(
    "--to-change-id",
    type=click.IntRange(1),
    metavar="ID",
    help="Return to the state right after this change (see: history FLAG).",
)
@click.option("--allow-raise", is_flag=True, help="Also where that gives the feature to more tenants.")
@with_reason
@changes
def rollback(invocation: Invocation, flag: str, to_change_id: int | None, allow_raise: bool, reason: str) -> None:
    """Undo the newest change of FLAG that still stands."""
    from flagconsole.cli.asking import ask
    from flagconsole.cli.wording import print_result
    from flagconsole.domain.requests import Rollback

    request = ask(Rollback, rollback_reason=reason, target_change_id=to_change_id, allow_raise=allow_raise)

    async def work(backend: Backend, target: Target) -> ChangeResult:
        # What lowers exposure is compared with no version, so only a rollback that may raise needs to look first.
        version = (await backend.flag(flag)).flag.version if allow_raise else None
        return await backend.rollback(
            flag, request, version=version, idempotency_key=invocation.idempotency_key, dry_run=invocation.dry_run
        )

    print_result(invocation, invocation.run(work))
