"""``audit``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagconsole.cli.commands.audit_missing import missing
from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import moment, print_json, say, talk
from flagconsole.cli.parameters import FILE
from flagconsole.cli.whole_log import text_of, whole_log
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.act import ActPage
    from flagconsole.domain.anchor import Anchor
    from flagconsole.domain.audit_report import AuditReport

#: What an act is, for whoever has only read of changes.
_ACTS = "what was done to keys, rights, approvals, schedules, plans, environments"

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group("audit", cls=SuggestingGroup)
def audit() -> None:
    """Check that nobody has edited the log, and keep elsewhere what proves it."""


@audit.command("verify")
@click.option(
    "--file", "export", type=_FILE, metavar="EXPORT", help="Check an exported log, without any server or store."
)
@click.option("--anchors", type=_FILE, metavar="FILE", help="Also check that every anchored head is in the log.")
@prints
def verify(invocation: Invocation, export: Path | None, anchors: Path | None) -> None:
    """Recompute the hash chains of the whole log, of the changes of flags and of the acts: what was done to keys, rights,
    approvals, schedules, stored plans and environments. Exits with 4 and names the first broken entry when one doesn't hold.

    A tail that was cut off and a chain that was written anew as a whole can't be seen from inside: check against the anchors
    that `audit anchor` or `serve --anchor` wrote, with their key in FLAGCONSOLE_ANCHOR_KEY.
    """
    report = _report(invocation, export, anchors)
    if invocation.as_json:
        print_json(report)
    elif report.verified:
        say(f"verified {report.entries} entries; head is revision {report.head_revision}, {report.head_hash}")
        if report.acts is None:
            talk(f"the export doesn't tell of acts ({_ACTS})")
        else:
            say(f"verified {report.acts.entries} acts ({_ACTS}); the newest is {report.acts.head_hash}")
    if not report.verified:
        talk(f"BROKEN at {safe_text(report.fault)}")
        click.get_current_context().exit(ExitCode.REFUSED)


def _report(invocation: Invocation, export: Path | None, anchors: Path | None) -> AuditReport:
    from flagconsole.domain.anchor import KEY_VARIABLE, anchor_key, read_anchors, verify_acts, verify_log
    from flagconsole.domain.audit_report import report_of
    from flagconsole.domain.log_export import read_log

    known: list[Anchor] = []
    if anchors is not None:
        known = read_anchors(text_of(anchors), anchor_key(os.environ.get(KEY_VARIABLE)), str(anchors))
    if export is None:
        report = invocation.run(_verified)
        if anchors is None or not report.verified:
            return report
        head, changes, acts = invocation.run(whole_log)
    else:
        head, changes, acts = read_log(text_of(export).splitlines(), str(export))
    return report_of(
        head.epoch,
        head.head_revision,
        verify_log(changes, head.head_revision, head.head_hash, known),
        verify_acts(acts, head.act_id, head.act_hash, known),
    )


async def _verified(backend: Backend, target: Target) -> AuditReport:
    return await backend.verify_audit()


@audit.command("log")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many, the newest first.")
@click.option("--before", type=click.IntRange(1), metavar="ACT", help="Only acts before this one.")
@prints
def log(invocation: Invocation, limit: int, before: int | None) -> None:
    """Show who made, rotated and revoked keys, took rights, asked for and gave consent, and scheduled, planned or named what.

    What changed a flag is in `history`.
    """

    async def work(backend: Backend, target: Target) -> ActPage:
        return await backend.audit_log(before=before, limit=limit)

    page = invocation.run(work)
    if invocation.as_json:
        print_json(page)
        return
    for act in page.acts:
        under = "" if act.break_glass is None else f"  under {safe_text(act.break_glass, 100)}"
        what = f"{act.kind.value.replace('_', ' ')}  {safe_text(act.subject, 200)}"
        say(f"{act.act_id}  {moment(act.done_at)}  {safe_text(act.done_by, 200)}  {what}{under}")
        told = [f"{name} {value}" for name, value in act.details.items() if value is not None]
        if told:
            say(f"    {safe_text('; '.join(told), 500)}")
        if act.reason is not None:
            say(f"    because: {safe_text(act.reason)}")
    if not page.acts:
        talk("there are no acts")
    elif page.next_before is not None:
        talk(f"older ones: --before {page.next_before}")


@audit.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@prints
def export(invocation: Invocation, file: Path) -> None:
    """Write the whole log to FILE (`-`: standard output), one JSON object a line, so that it can be checked anywhere."""
    from flagconsole.domain.log_export import dump_log

    whole = invocation.run(whole_log)
    lines = dump_log(whole)
    if str(file) == "-":
        for line in lines:
            click.echo(line, nl=False)
        return
    with file.open("w", encoding="utf-8") as written:
        written.writelines(lines)
    acts = len(whole.acts or ())
    talk(f"{len(whole.changes)} entries and {acts} act{'' if acts == 1 else 's'} are in {safe_text(file, 300)}")


@audit.command("anchor")
@click.argument("place", type=FILE, metavar="FILE|URL")
@prints
def anchor(invocation: Invocation, place: str) -> None:
    """Check the log, then append its heads, signed with the key in FLAGCONSOLE_ANCHOR_KEY, to FILE, or post them to a URL.

    Keep it where whoever can write to the store can't: `serve --anchor` does it on a schedule.
    """
    import asyncio

    from flagconsole.domain.anchor import KEY_VARIABLE, Anchor, anchor_key
    from flagconsole.rollout.anchoring import keep

    key = anchor_key(os.environ.get(KEY_VARIABLE))

    async def work(backend: Backend, target: Target) -> tuple[AuditReport, str]:
        status = await backend.status()
        return await backend.verify_audit(), status.environment

    report, environment = invocation.run(work)
    if not report.verified:
        talk(f"BROKEN at {safe_text(report.fault)}; nothing was anchored")
        click.get_current_context().exit(ExitCode.REFUSED)
    signed = Anchor(
        environment=environment,
        epoch=report.epoch,
        revision=report.head_revision,
        audit_hash=report.head_hash,
        act_id=None if report.acts is None else report.acts.entries,
        act_hash=None if report.acts is None else report.acts.head_hash,
        at=datetime.now(UTC),
    ).signed(key)
    asyncio.run(keep(signed, place, key))
    if invocation.as_json:
        print_json(signed)
    else:
        say(f"anchored revision {signed.revision}, {signed.audit_hash}")


audit.add_command(missing)
