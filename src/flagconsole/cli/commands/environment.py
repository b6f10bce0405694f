"""``export`` and ``apply``: the environment as a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes, prints
from flagconsole.cli.output import print_json, say, talk
from flagconsole.cli.parameters import FILE
from flagconsole.cli.reason import with_reason
from flagconsole.cli.text_file import read_text, replace_text
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.bulk import BulkResult
    from flagconsole.domain.environment import Apply, EnvironmentExport, EnvironmentPlan, PlanRequest


@click.command("export")
@click.option("--output", type=FILE, metavar="FILE", help="Write it there, in one step; comments that it has are kept.")
@prints
def export(invocation: Invocation, output: str | None) -> None:
    """Write the environment as YAML: flags with all their properties, and overrides, always in the same order."""
    from flagconsole.operations.environment_file import dump_environment

    async def work(backend: Backend, target: Target) -> EnvironmentExport:
        return await backend.export()

    before = read_text(output, "--output") if output is not None and Path(output).exists() else None
    found = invocation.run(work)
    if output is None and invocation.as_json:
        print_json(found.environment.model_dump(mode="json", exclude_unset=True))
        return
    text, gone = dump_environment(found.environment, before, output or "")
    if output is None:
        # A terminal must not act on what somebody wrote into a name; a pipe gets the file as it is.
        click.echo("\n".join(safe_text(line, 2000) for line in text.splitlines()) if sys.stdout.isatty() else text[:-1])
        return
    if gone:
        talk(f"{gone} comments were about what is there no more, and are left out")
    changed = text != before
    if changed:
        replace_text(output, text, "--output")
    counts = {"flags": len(found.environment.flags), "overrides": len(found.environment.overrides)}
    if invocation.as_json:
        print_json(
            {**counts, "revision": found.revision, "file": output, "changed": changed, "comments_left_out": gone}
        )
    else:
        did = "written to" if changed else "are in it already:"
        what = " and ".join(f"{count} {name if count != 1 else name[:-1]}" for name, count in counts.items())
        say(f"{what} of revision {found.revision} {did} {safe_text(output)}")


@click.command("apply")
@click.argument("file", type=FILE, metavar="FILE")
@click.option("--plan-hash", metavar="HASH", help="Do exactly the plan of this hash, or nothing.")
@click.option("--prune", is_flag=True, help="Also remove what the file's lists don't name.")
@click.option("--yes", is_flag=True, help="Without --plan-hash: don't ask, do what is shown.")
@with_reason
@changes
def apply(invocation: Invocation, file: str, plan_hash: str | None, prune: bool, yes: bool, reason: str) -> None:
    """Bring the store to what FILE says, all of it in one transaction or nothing.

    With --plan-hash it does what `flagconsole plan FILE` showed, and ends with 13 when the file or a flag in it has moved
    since. Without one the plan is shown and asked about. What the file doesn't name stays; a kill stays in any case.
    """
    from flagconsole.cli.asking import ask
    from flagconsole.cli.environment_report import read_request, show
    from flagconsole.domain.environment import Apply

    request = read_request(file, prune=prune)
    if plan_hash is None and not yes and not invocation.dry_run and not _can_ask(file):
        raise click.UsageError("say --plan-hash HASH (see: flagconsole plan FILE), or --yes to do what is found")

    async def work(backend: Backend, target: Target) -> int:
        wanted = plan_hash
        if wanted is None:
            plan = await backend.plan(request)
            if not invocation.as_json:
                show(plan)
            if not plan.changed and not invocation.as_json:
                return ExitCode.OK
            if not _agreed(plan, ask_first=not yes and not invocation.dry_run):
                talk("nothing was changed")
                return ExitCode.REFUSED
            wanted = plan.plan_hash
        body = ask(Apply, **_fields(request), change_reason=reason, plan_hash=wanted)
        return await _applied(invocation, backend, body)

    click.get_current_context().exit(invocation.run(work, create=not invocation.dry_run))


def _can_ask(file: str) -> bool:
    return sys.stdin.isatty() and file != "-"


def _agreed(plan: EnvironmentPlan, *, ask_first: bool) -> bool:
    return not ask_first or not plan.changed or click.confirm(f"Make these {plan.changed} changes?", err=True)


def _fields(request: PlanRequest) -> dict[str, object]:
    return {"environment": request.environment, "prune": request.prune}


async def _applied(invocation: Invocation, backend: Backend, body: Apply) -> int:
    key = None if invocation.dry_run else invocation.idempotency_key
    done: BulkResult = await backend.apply(body, idempotency_key=key, dry_run=invocation.dry_run)
    if invocation.as_json:
        print_json(done)
        return ExitCode.OK
    for outcome in done.outcomes:
        if outcome.left_out is not None:
            say(f"{safe_text(outcome.flag_name)}: {safe_text(outcome.left_out, 300)}")
    if invocation.dry_run:
        say(f"{done.changed} would change; nothing was changed (dry run)")
    elif done.changed:
        again = " (done before, not again)" if done.replayed else ""
        say(f"{done.changed} changed as one set, now at revision {done.revision}{again}")
    else:
        say("nothing to change")
    return ExitCode.OK
