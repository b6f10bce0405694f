"""``import``: flags from the files of other systems."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.output import print_json, say, talk
from flagconsole.cli.parameters import FILE
from flagconsole.cli.reason import one_reason
from flagconsole.cli.text_file import read_text, source_of
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.operations.foreign_file import Imported


@click.command("import")
@click.argument("file", type=FILE, metavar="FILE")
@click.argument("words", metavar="[REASON]", nargs=-1)
@click.option("--reason", metavar="TEXT", help="Why; the same as REASON (default: imported from FILE).")
@click.option("--from", "system", type=click.Choice(["unleash", "flagd"]), required=True, help="Whose file it is.")
@click.option("--domain", metavar="D", help="The domain of flags whose names have none: my-flag becomes D.my-flag.")
@click.option(
    "--tenant-field", default="tenantId", show_default=True, metavar="NAME", help="What the context calls the tenant."
)
@click.option("--from-environment", "environment", metavar="NAME", help="Which of the file's environments (Unleash).")
@click.option("--yes", is_flag=True, help="Don't ask before doing it, in a terminal either.")
@changes
def import_flags(
    invocation: Invocation,
    file: str,
    words: tuple[str, ...],
    reason: str | None,
    system: str,
    domain: str | None,
    tenant_field: str,
    environment: str | None,
    yes: bool,
) -> None:
    """Take over the flags of FILE (- for standard input), all of them in one transaction or none.

    What has no counterpart is listed with its line and why; nothing is guessed, and no flag starts with more tenants than it
    had there. Flags that the store has already are left alone. Shown first; --dry-run shows and changes nothing.
    """
    from flagconsole.operations.foreign_file import Reading
    from flagconsole.operations.strict_yaml import Place

    why = one_reason(words, reason, f"imported from {safe_text(source_of(file), 200)} of {system}")
    reading = Reading(tenant_field=tenant_field, domain=domain, environment=environment)
    place = Place(safe_text(source_of(file), 100))
    if system == "unleash":
        from flagconsole.operations.unleash_file import parse_unleash as parse
    else:
        from flagconsole.operations.flagd_file import parse_flagd as parse
    found = parse(read_text(file), place, reading)
    ask_first = not yes and file != "-" and sys.stdin.isatty()

    async def work(backend: Backend, target: Target) -> int:
        return await _take_over(invocation, backend, found, why, ask_first=ask_first)

    click.get_current_context().exit(invocation.run(work, create=not invocation.dry_run))


async def _take_over(invocation: Invocation, backend: Backend, found: Imported, why: str, *, ask_first: bool) -> int:
    from flagconsole.cli.environment_report import show
    from flagconsole.domain.environment import Apply, PlanRequest

    present = {flag.flag_name for flag in (await backend.flags()).flags}
    known = sorted(present & found.flags.keys())
    new = found.without(known).environment()
    plan = await backend.plan(PlanRequest(environment=new))
    answer: dict[str, Any] = {
        "plan": plan.model_dump(mode="json"),
        "known": known,
        "left": [item._asdict() for item in sorted(found.left)],
        "dry_run": invocation.dry_run,
    }
    if not invocation.as_json:
        show(plan)
        for name in known:
            say(f"= {name} is there already, and left alone")
        for item in sorted(found.left):
            say(f"! line {item.line}, {item.what}: {item.why}")
    if plan.changed and not invocation.dry_run:
        if ask_first and not click.confirm(f"Take over these {plan.changed}?", err=True):
            talk("nothing was changed")
            return ExitCode.REFUSED
        body = Apply(environment=new, plan_hash=plan.plan_hash, change_reason=why)
        done = await backend.apply(body, idempotency_key=invocation.idempotency_key)
        answer["result"] = done.model_dump(mode="json")
        if not invocation.as_json:
            say(f"{done.changed} taken over as one set, now at revision {done.revision}")
    elif not invocation.as_json:
        say("nothing was changed (dry run)" if invocation.dry_run else "nothing to take over")
    if invocation.as_json:
        print_json(answer)
    return ExitCode.OK
