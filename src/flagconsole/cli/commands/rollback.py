"""``rollback``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.reason import with_reason

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target


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
    """Undo the newest change of FLAG that still stands.

    One that undoes a revive kills again, and is waited for like a kill.
    """
    from flagconsole.cli.asking import ask
    from flagconsole.cli.commands.kill import WAIT_SECONDS, prove
    from flagconsole.cli.wording import print_result
    from flagconsole.domain.errors import ExitCode
    from flagconsole.domain.requests import Rollback
    from flagconsole.domain.states import FlagState

    request = ask(Rollback, rollback_reason=reason, target_change_id=to_change_id, allow_raise=allow_raise)

    async def work(backend: Backend, target: Target) -> int:
        # What lowers exposure is compared with no version, so only a rollback that may raise needs to look first.
        version = (await backend.flag(flag)).flag.version if allow_raise else None
        result = await backend.rollback(
            flag, request, version=version, idempotency_key=invocation.idempotency_key, dry_run=invocation.dry_run
        )
        kills = result.flag.current_state is FlagState.KILL and not invocation.dry_run
        if not (kills and invocation.as_json):
            print_result(invocation, result)
        return await prove(invocation, backend, result, WAIT_SECONDS) if kills else ExitCode.OK

    click.get_current_context().exit(invocation.run(work))
