"""``kill``: stop a feature everywhere, and show that it stopped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.output import print_json, say, talk
from flagconsole.cli.parameters import FILE, FLAG
from flagconsole.cli.reason import with_reason
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.views import BlastView, ChangeResult, FlagView


#: Seconds that a kill is waited for where nobody says otherwise.
WAIT_SECONDS: Final = 5.0
#: Seconds after which somebody who waits at a terminal is told what for.
_SILENT: Final = 1.0


@click.command("kill", epilog='Example: flagconsole kill pos.lite "customers are charged twice"')
@click.argument("flag", type=FLAG)
@click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    default=WAIT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait until every instance has confirmed.",
)
@click.option("--file", "path", type=FILE, metavar="FILE", help="In this local kill list instead, without any server.")
@with_reason
@changes
def kill(invocation: Invocation, flag: str, wait: float, path: str | None, reason: str) -> None:
    """Turn FLAG off for everyone, whatever else is set, until it is revived.

    Prints the revision of the kill and how many instances have applied it. Exits with 8 when not all of them have
    confirmed within --wait, with 12 when only clients remain that were told and can't confirm. With --file it writes and signs a local kill list, which SDKs obey whatever the server says.
    """
    if path is not None:
        from flagconsole.cli.kill_file import kill_in_file

        kill_in_file(invocation, path, flag, reason)
        return
    kill_flag(invocation, flag, reason, wait)


def kill_flag(invocation: Invocation, flag: str, reason: str, wait: float) -> None:
    """Kill, print, wait, print. Ends the command with its exit code."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.requests import Kill
    from flagconsole.domain.states import FlagState

    request = ask(Kill, kill_reason=reason)

    async def work(backend: Backend, target: Target) -> int:
        if invocation.dry_run:
            result = await backend.kill(flag, request, dry_run=True)
            _print_dry_run(invocation, result, await backend.blast_radius(flag))
            return ExitCode.OK
        result = await backend.kill(flag, request, idempotency_key=invocation.idempotency_key)
        if result.replayed:
            now = (await backend.flag(flag)).flag
            if now.current_state is not FlagState.KILL:
                return _no_longer(invocation, result, now)
        if not invocation.as_json:
            say(_killed(result))
        return await prove(invocation, backend, result, wait)

    click.get_current_context().exit(invocation.run(work))


async def prove(invocation: Invocation, backend: Backend, result: ChangeResult, wait: float) -> int:
    """Wait until every instance that can has confirmed the result, print what was seen, and give the exit code."""
    import asyncio

    from flagconsole.cli.propagation import wait_for_confirmation

    waiting = asyncio.ensure_future(wait_for_confirmation(backend, result, wait))
    try:
        await asyncio.wait({waiting}, timeout=_SILENT)
        if not waiting.done() and sys.stderr.isatty():
            talk(f"waiting for instances to confirm, up to {wait:g} s; the kill stays, whatever becomes of the wait")
        found = await waiting
    except (asyncio.CancelledError, KeyboardInterrupt):
        talk(
            f"{result.flag.flag_name} stays killed; who has confirmed it wasn't waited for: "
            "killing it again looks again, and changes nothing"
        )
        waiting.cancel()
        raise
    if invocation.as_json:
        print_json(result, propagation=found.as_json())
    else:
        for line in found.lines():
            say(line)
    if not found.settled:
        talk("the kill is committed, but not confirmed everywhere")
    elif found.told:
        talk("the kill is committed and confirmed by everyone who can confirm it")
    return found.exit_code


def _no_longer(invocation: Invocation, result: ChangeResult, now: FlagView) -> int:
    """What this very request did once isn't true any more: say what is."""
    done = "" if result.change is None else f" at revision {result.change.change_id}"
    since = now.last_change
    by = "" if since is None else f" by {safe_text(since.changed_by, 200)} (revision {since.change_id})"
    if invocation.as_json:
        print_json(result, now=now.model_dump(mode="json"))
    talk(
        f"{now.flag_name} is not killed: this request killed it{done}, and since then it was changed{by}: "
        f"it is {now.setting.describe()}. To kill it again, leave --idempotency-key out"
    )
    return ExitCode.CONFLICT


def _killed(result: ChangeResult) -> str:
    from flagconsole.cli.wording import before

    name, change = result.flag.flag_name, result.change
    if result.changed and change is not None:
        return f"{name} killed (was {before(change)}) at revision {change.change_id}"
    if change is None:
        return f"{name} was killed already"
    by, why = safe_text(change.changed_by, 200), safe_text(change.change_reason)
    return f"{name} was killed already, at revision {change.change_id} by {by}: {why}"


def _print_dry_run(invocation: Invocation, result: ChangeResult, blast: BlastView) -> None:
    if invocation.as_json:
        print_json(result, blast_radius=blast.model_dump(mode="json"))
        return
    from flagconsole.cli.wording import before

    change = result.change
    if result.changed and change is not None:
        say(f"would kill {result.flag.flag_name} (it is {before(change)})")
    else:
        say(_killed(result))
    say(f"{blast.losing} of {blast.tenants} known tenants would lose it, {blast.shadow_losing} its shadow")
    for item in blast.dependents:
        after = f"{item.after.value} for {item.tenants} tenants" if item.tenants else "unchanged"
        say(f"dependent {item.flag_name}: {after}")
    one = blast.instances_expected == 1
    say(f"{blast.instances_expected} instance{'' if one else 's'} would be waited for; nothing was changed")
