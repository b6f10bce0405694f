"""``rollback``."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.parameters import FLAG
from flagconsole.cli.reason import one_reason

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.incident_views import IncidentDetail


@click.command("rollback", epilog='Example: flagconsole rollback pos.lite "errors since the last change"')
@click.argument("flag", type=FLAG, required=False)
@click.option(
    "--set",
    "chosen",
    metavar="ID,ID",
    multiple=True,
    help="Undo exactly these changes, of whatever flags, as one set: all or none (see: history --around).",
)
@click.option(
    "--to-change-id",
    type=click.IntRange(1),
    metavar="ID",
    help="Return to the state right after this change (see: history FLAG).",
)
@click.option(
    "--playbook",
    type=click.Choice(["gradual", "immediate"]),
    help="Roll back by this playbook instead (kill runs the third).",
)
@click.option("--allow-raise", is_flag=True, help="Also where that gives the feature to more tenants.")
@click.option("--yes", is_flag=True, help="With --set: don't ask before doing it, in a terminal either.")
@click.argument("words", metavar="REASON", nargs=-1)
@click.option("--reason", metavar="TEXT", help="Why; the same as REASON.")
@changes
def rollback(
    invocation: Invocation,
    flag: str | None,
    chosen: tuple[str, ...],
    to_change_id: int | None,
    playbook: str | None,
    allow_raise: bool,
    yes: bool,
    words: tuple[str, ...],
    reason: str | None,
) -> None:
    """Undo the newest change of FLAG that still stands, or roll it back by a playbook; with --set undo chosen changes.

    One that undoes a revive kills again, and is waited for like a kill.
    """
    if chosen:
        if to_change_id is not None or playbook is not None:
            raise click.UsageError("--set goes with neither --to-change-id nor --playbook")
        # Without FLAG the first word is another id, or the reason already.
        rest = [*([flag] if flag is not None else []), *words]
        more = list(takewhile(_is_number, rest))
        given = one_reason(rest[len(more) :], reason)
        _chosen_ones(invocation, (*chosen, *more), given, allow_raise=allow_raise, yes=yes)
        return
    if flag is None:
        raise click.UsageError("name the FLAG, or the changes to undo with --set", click.get_current_context())
    _one_flag(invocation, flag, one_reason(words, reason), to_change_id, playbook, allow_raise=allow_raise)


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _chosen_ones(invocation: Invocation, chosen: tuple[str, ...], reason: str, *, allow_raise: bool, yes: bool) -> None:
    from flagconsole.cli.asking import ask
    from flagconsole.cli.commands.bulk import change_numbers, undo_as_one
    from flagconsole.domain.bulk import BulkRollback

    ids = change_numbers(",".join(chosen), "--set")
    request = ask(BulkRollback, rollback_reason=reason, change_ids=ids, allow_raise=allow_raise)
    undo_as_one(invocation, request, yes=yes)


def _one_flag(
    invocation: Invocation,
    flag: str,
    reason: str,
    to_change_id: int | None,
    playbook: str | None,
    *,
    allow_raise: bool,
) -> None:
    if playbook is not None:
        if to_change_id is not None or allow_raise:
            raise click.UsageError("--playbook goes with neither --to-change-id nor --allow-raise")
        _by_playbook(invocation, flag, playbook, reason)
        return
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


def _by_playbook(invocation: Invocation, flag: str, playbook: str, reason: str) -> None:
    from flagconsole.cli.asking import ask
    from flagconsole.cli.output import print_json, say
    from flagconsole.domain.rollout_requests import PlaybookBegin

    body = ask(PlaybookBegin, playbook_reason=reason, playbook_name=playbook)

    async def work(backend: Backend, target: Target) -> IncidentDetail:
        return await backend.begin_playbook(
            flag, body, idempotency_key=invocation.idempotency_key, dry_run=invocation.dry_run
        )

    detail = invocation.run(work)
    if invocation.as_json:
        print_json(detail)
        return
    say(begun(detail, dry_run=invocation.dry_run))


def begun(detail: IncidentDetail, *, dry_run: bool = False) -> str:
    """One line: the playbook, its incident, and what was done at once."""
    from flagconsole.domain.text import safe_text

    incident = detail.incident
    done = [step.title for step in incident.run.steps if step.status == "done"] if incident.run is not None else []
    at_once = f"; done at once: {safe_text(', '.join(done), 500)}" if done else ""
    would = "would begin" if dry_run else "begun"
    estimate = "" if incident.estimate_minutes is None else f", {incident.estimate_minutes:g} min by estimate"
    follow = "" if dry_run else f". Follow it with: flagconsole incidents show {incident.incident_id}"
    return f"{incident.flag_name}: playbook {incident.playbook} {would}{estimate}{at_once}{follow}"
