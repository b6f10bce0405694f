"""``set``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.output import talk
from flagconsole.cli.parameters import FLAG, PERCENTAGE, STATE, names
from flagconsole.cli.reason import with_reason
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.flag import Flag
    from flagconsole.domain.views import ChangeResult

#: Seconds that ``set FLAG kill`` waits for the instances, as ``kill`` does by default.
_KILL_WAIT = 5.0


@click.command("set", epilog='Example: flagconsole set pos.lite canary --percentage 10 "shadow was clean"')
@click.argument("flag", type=FLAG)
@click.argument("state", type=STATE)
@click.option(
    "--percentage", type=PERCENTAGE, metavar="N", help="So many percent of the tenants, drawn by hash [as before]."
)
@click.option("--tenant-ids", metavar="A,B", help="Exactly these tenants; an empty list goes back to the percentage.")
@with_reason
@changes
def set_flag(
    invocation: Invocation,
    flag: str,
    state: FlagState,
    percentage: int | None,
    tenant_ids: str | None,
    reason: str,
) -> None:
    """Set FLAG to STATE: off, shadow, canary, on, or kill (the same as the command kill).

    What gives the feature to more tenants is refused when somebody else has changed the flag meanwhile.
    """
    if state is FlagState.KILL:
        from flagconsole.cli.commands.kill import kill_flag

        if percentage is not None or tenant_ids is not None:
            raise click.UsageError("a kill is for everyone: it takes no percentage and no tenants")
        kill_flag(invocation, flag, reason, _KILL_WAIT)
        return
    from flagconsole.cli.asking import ask
    from flagconsole.cli.wording import print_result
    from flagconsole.domain.requests import FlagUpdate

    fields: dict[str, Any] = {"change_reason": reason, "current_state": state}
    if percentage is not None:
        fields["canary_percentage"] = percentage
    if tenant_ids is not None:
        fields["canary_tenant_ids"] = names(tenant_ids)
    request = ask(FlagUpdate, **fields)

    async def work(backend: Backend, target: Target) -> ChangeResult:
        seen = await backend.flag(flag)
        return await backend.update(
            flag,
            request,
            version=seen.flag.version,
            idempotency_key=invocation.idempotency_key,
            dry_run=invocation.dry_run,
        )

    result = invocation.run(work)
    print_result(invocation, result)
    if state is FlagState.CANARY and percentage is None and tenant_ids is None:
        talk(f"{_cohort(result.flag)} as it was set before; --percentage N sets another")


def _cohort(flag: Flag) -> str:
    chosen = len(flag.canary_tenant_ids)
    return f"{chosen} chosen tenant{'s' * (chosen != 1)}" if chosen else f"{flag.canary_percentage} %"
