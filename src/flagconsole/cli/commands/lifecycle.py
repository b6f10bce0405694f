"""``create`` and ``archive``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.parameters import FLAG, StateType
from flagconsole.cli.reason import with_reason
from flagconsole.domain.states import FlagState, FlagType

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.views import ChangeResult

_FIRST_STATE = StateType(FlagState.OFF, FlagState.SHADOW, FlagState.ON)


@click.command("create")
@click.argument("flag_name", metavar="FLAG")
@click.option(
    "--type", "flag_type", type=click.Choice([item.value for item in FlagType]), default="feature",
    help="What kind of flag it is [feature].",
)  # fmt: skip
@click.option("--description", default="", metavar="TEXT", help="What the feature is.")
@click.option("--default-state", type=_FIRST_STATE, default="off", help="The state it begins in [off].")
@click.option("--affects", multiple=True, metavar="TEXT", help="An endpoint or part that it changes; may be repeated.")
@click.option(
    "--depends-on", "dependencies", multiple=True, metavar="FLAG", help="A flag that caps it; may be repeated."
)
@click.option(
    "--rollback-time", "rollback_time_seconds", type=int, default=60, metavar="SECONDS",
    help="How long turning it off takes to work [60].",
)  # fmt: skip
@click.option("--kill-switch", "is_kill_switch", is_flag=True, help="Mark it as a kill switch.")
@click.option("--owner", default="", metavar="TEXT", help="Who to ask about it.")
@click.option("--tag", "tags", multiple=True, metavar="TEXT", help="May be repeated.")
@click.option("--expires-on", metavar="DATE", help="When it should be cleaned up, such as 2027-03-31.")
@click.option("--plan", default="", metavar="NAME", help="Its rollout plan.")
@with_reason
@changes
def create(invocation: Invocation, reason: str, **fields: Any) -> None:
    """Create FLAG, named like domain.feature. A name is never used twice, not even after archiving."""
    from flagconsole.cli.asking import ask
    from flagconsole.cli.wording import print_result
    from flagconsole.domain.requests import FlagCreate

    request = ask(FlagCreate, change_reason=reason, **fields)

    async def work(backend: Backend, target: Target) -> ChangeResult:
        return await backend.create(request, idempotency_key=invocation.idempotency_key, dry_run=invocation.dry_run)

    print_result(invocation, invocation.run(work, create=not invocation.dry_run))


@click.command("archive")
@click.argument("flag", type=FLAG)
@with_reason
@changes
def archive(invocation: Invocation, flag: str, reason: str) -> None:
    """Retire FLAG for ever. Refused while other flags depend on it and while it is killed."""
    from flagconsole.cli.asking import ask
    from flagconsole.cli.wording import print_result
    from flagconsole.domain.requests import Archive

    request = ask(Archive, change_reason=reason)

    async def work(backend: Backend, target: Target) -> ChangeResult:
        seen = await backend.flag(flag)
        return await backend.archive(
            flag,
            request,
            version=seen.flag.version,
            idempotency_key=invocation.idempotency_key,
            dry_run=invocation.dry_run,
        )

    print_result(invocation, invocation.run(work))
