"""``bulk-set`` and ``bulk-rollback``: many flags as one set, shown before it is done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.output import print_json, print_table, say, talk
from flagconsole.cli.parameters import FILE
from flagconsole.cli.reason import NO_REASON, one_reason
from flagconsole.cli.text_file import read_text, source_of
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.bulk import BulkOutcome, BulkResult, BulkRollback, BulkSet

_YES = click.option("--yes", is_flag=True, help="Don't ask before doing it, in a terminal either.")


@click.command("bulk-set")
@click.option("--file", "path", required=True, type=FILE, metavar="FILE", help="YAML or JSON; - for standard input.")
@click.option("--reason", metavar="TEXT", help="Why; replaces the file's reason.")
@_YES
@changes
def bulk_set(invocation: Invocation, path: str, reason: str | None, yes: bool) -> None:
    """Set every flag that FILE names, or none: the differences are shown first.

    What gives a feature to more tenants is refused when somebody else has changed the flag since it was shown.
    """
    from flagconsole.operations.bulk_file import parse_bulk

    request = parse_bulk(read_text(path, "--file"), source_of(path), reason)

    async def work(backend: Backend, target: Target) -> int:
        decided = await _with_versions(backend, request)

        async def change(key: str | None, dry_run: bool) -> BulkResult:
            return await backend.bulk_set(decided, idempotency_key=key, dry_run=dry_run)

        return await shown_then_done(invocation, change, yes=yes)

    click.get_current_context().exit(invocation.run(work))


@click.command("bulk-rollback")
@click.option("--domain", metavar="D", help="Undo the newest change of every flag of this domain.")
@click.option("--changes", "change_ids", metavar="ID,ID", help="Undo exactly these changes (see: history).")
@click.option("--allow-raise", is_flag=True, help="Also where that gives a feature to more tenants.")
@click.option("--leave-raising", is_flag=True, help="Leave out the flags whose rollback would do that.")
@_YES
@click.argument("words", metavar="[REASON]", nargs=-1)
@click.option("--reason", metavar="TEXT", help="Why; the same as REASON.")
@changes
def bulk_rollback(
    invocation: Invocation,
    words: tuple[str, ...],
    domain: str | None,
    change_ids: str | None,
    allow_raise: bool,
    leave_raising: bool,
    yes: bool,
    reason: str | None,
) -> None:
    """Roll back all flags of a domain, or exactly the named changes, as one set: all of it or nothing.

    Flags of the domain that are killed or have nothing to undo are left out, and named.
    """
    from flagconsole.cli.asking import ask
    from flagconsole.domain.bulk import BulkRollback

    if (domain is None) == (change_ids is None):
        raise click.UsageError("say either --domain or --changes")
    request = ask(
        BulkRollback,
        rollback_reason=one_reason(words, reason, NO_REASON),
        domain=domain,
        change_ids=change_numbers(change_ids, "--changes"),
        allow_raise=allow_raise,
        leave_raising=leave_raising,
    )
    undo_as_one(invocation, request, yes=yes)


def undo_as_one(invocation: Invocation, request: BulkRollback, *, yes: bool) -> None:
    """Show what the request would undo, then undo all of it or nothing."""

    async def work(backend: Backend, target: Target) -> int:
        async def change(key: str | None, dry_run: bool) -> BulkResult:
            return await backend.bulk_rollback(request, idempotency_key=key, dry_run=dry_run)

        return await shown_then_done(invocation, change, yes=yes)

    click.get_current_context().exit(invocation.run(work))


async def shown_then_done(
    invocation: Invocation, change: Callable[[str | None, bool], Awaitable[BulkResult]], *, yes: bool
) -> int:
    """Show what would happen; then, unless that is all that was asked for, do it."""
    plan = await change(None, True)
    if not invocation.as_json:
        _print(plan)
    if invocation.dry_run or not plan.changed:
        if invocation.as_json:
            print_json(plan)
        else:
            say("nothing was changed (dry run)" if invocation.dry_run else "nothing to change")
        return ExitCode.OK
    if sys.stdin.isatty() and not yes and not click.confirm(f"Change these {plan.changed}?", err=True):
        talk("nothing was changed")
        return ExitCode.REFUSED
    done = await change(invocation.idempotency_key, False)
    if invocation.as_json:
        print_json(done)
    else:
        first = min((item.change.change_id for item in done.outcomes if item.change is not None), default=done.revision)
        again = " (done before, not again)" if done.replayed else ""
        say(f"{done.changed} changed as one set, revisions {first} to {done.revision}{again}")
    return ExitCode.OK


def _print(result: BulkResult) -> None:
    print_table(("FLAG", "CHANGE"), [(_subject(item), _what(item)) for item in result.outcomes])


def _subject(item: BulkOutcome) -> str:
    return item.flag_name if item.tenant_id is None else f"{item.flag_name} for {item.tenant_id}"


def _what(item: BulkOutcome) -> str:
    from flagconsole.cli.wording import transition

    if item.change is not None:
        return transition(item.change)
    return f"stays {item.setting.standing}: {item.left_out}"


async def _with_versions(backend: Backend, request: BulkSet) -> BulkSet:
    """The request, each flag with the version that it has now where the file doesn't name one."""
    versions = {flag.flag_name: flag.version for flag in (await backend.flags()).flags}
    items = tuple(
        item if item.version is not None else item.model_copy(update={"version": versions.get(item.flag_name)})
        for item in request.changes
    )
    return request.model_copy(update={"changes": items})


def change_numbers(value: str | None, option: str) -> tuple[int, ...]:
    """The ids of a list like ``12,15``."""
    if value is None:
        return ()
    words = [word.strip() for word in value.split(",") if word.strip()]
    wrong = next((word for word in words if not word.isdecimal() or not word.isascii()), None)
    if wrong is not None or not words:
        raise click.UsageError(f"{option} takes numbers like 12,15 (got {safe_text(wrong or value, 60)!r})")
    return tuple(map(int, words))
