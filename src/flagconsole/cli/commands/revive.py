"""``revive``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.parameters import FILE, FLAG, PERCENTAGE, REVIVE_STATE
from flagconsole.cli.reason import with_reason
from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.views import ChangeResult


@click.command("revive", epilog='Example: flagconsole revive pos.lite "fixed in 4.2.1"')
@click.argument("flag", type=FLAG)
@click.option("--to", "state", type=REVIVE_STATE, default="off", help="A state below the one it was killed in [off].")
@click.option("--percentage", type=PERCENTAGE, metavar="N", help="The percentage, for --to canary.")
@click.option("--file", "path", type=FILE, metavar="FILE", help="Take it off this local kill list instead.")
@with_reason
@changes
def revive(
    invocation: Invocation, flag: str, state: FlagState, percentage: int | None, path: str | None, reason: str
) -> None:
    """Clear the kill of FLAG. It stays off unless --to names another state, and no rollout goes on by itself."""
    if path is not None:
        from flagconsole.cli.kill_file import revive_in_file

        revive_in_file(invocation, path, flag)
        return
    from flagconsole.cli.asking import ask
    from flagconsole.cli.output import print_json
    from flagconsole.cli.wording import print_result
    from flagconsole.domain.requests import Revive

    request = ask(Revive, revive_reason=reason, state=state, canary_percentage=percentage)

    async def work(backend: Backend, target: Target) -> tuple[ChangeResult, list[str] | None]:
        seen = await backend.flag(flag)
        result = await backend.revive(
            flag,
            request,
            version=seen.flag.version,
            idempotency_key=invocation.idempotency_key,
            dry_run=invocation.dry_run,
        )
        return result, await _open_incidents(backend, flag)

    result, still_open = invocation.run(work)
    if invocation.as_json:
        print_json(result, open_incidents=still_open)
        return
    print_result(invocation, result)
    _say_open(still_open)


async def _open_incidents(backend: Backend, flag: str) -> list[str] | None:
    """The flag's incidents that nobody has closed; None where that can't be had. The revive is done either way."""
    try:
        found = await backend.incidents(flag_name=flag, open_only=True)
    except FlagConsoleError:
        return None
    return [incident.incident_id for incident in found.incidents]


def _say_open(incidents: list[str] | None) -> None:
    """A revive ends no incident: somebody has to write down what it was."""
    from flagconsole.cli.output import talk

    if incidents is None:
        talk("its incident stays open if it is: see flagconsole incidents list --open")
    for incident in incidents or ():
        talk(
            f"incident {incident} stays open until somebody closes it: "
            f'flagconsole incidents close {incident} --root-cause "what it was"'
        )
