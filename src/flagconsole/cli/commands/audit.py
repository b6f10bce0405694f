"""``audit``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import print_json, say, talk
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.anchor import Anchor
    from flagconsole.domain.change import Change
    from flagconsole.domain.log_export import LogHead
    from flagconsole.domain.views import AuditReport

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
    """Recompute the hash chain of the whole log. Exits with 4 and names the first broken entry when it doesn't hold.

    A tail that was cut off and a chain that was written anew as a whole can't be seen from inside: check against the anchors
    that `audit anchor` or `serve --anchor` wrote, with their key in FLAGCONSOLE_ANCHOR_KEY.
    """
    report = _report(invocation, export, anchors)
    if invocation.as_json:
        print_json(report)
    elif report.verified:
        say(f"verified {report.entries} entries; head is revision {report.head_revision}, {report.head_hash}")
    if not report.verified:
        talk(f"BROKEN at entry {report.first_broken}: {safe_text(report.problem)}")
        click.get_current_context().exit(ExitCode.REFUSED)


def _report(invocation: Invocation, export: Path | None, anchors: Path | None) -> AuditReport:
    if export is None and anchors is None:

        async def work(backend: Backend, target: Target) -> AuditReport:
            return await backend.verify_audit()

        return invocation.run(work)
    from flagconsole.domain.anchor import KEY_VARIABLE, anchor_key, read_anchors, verify_log
    from flagconsole.domain.log_export import read_log
    from flagconsole.domain.views import AuditReport

    known: list[Anchor] = []
    if anchors is not None:
        known = read_anchors(_text(anchors), anchor_key(os.environ.get(KEY_VARIABLE)), str(anchors))
    head, changes = invocation.run(_whole_log) if export is None else read_log(_text(export).splitlines(), str(export))
    found = verify_log(changes, head.head_revision, head.head_hash, known)
    return AuditReport(
        verified=found.verified,
        entries=found.entries,
        epoch=head.epoch,
        head_revision=head.head_revision,
        head_hash=found.head_hash,
        first_broken=found.first_broken,
        problem=found.problem,
    )


@audit.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@prints
def export(invocation: Invocation, file: Path) -> None:
    """Write the whole log to FILE (`-`: standard output), one JSON object a line, so that it can be checked anywhere."""
    from flagconsole.domain.log_export import dump_log

    head, changes = invocation.run(_whole_log)
    lines = dump_log(head, changes)
    if str(file) == "-":
        for line in lines:
            click.echo(line, nl=False)
        return
    with file.open("w", encoding="utf-8") as written:
        written.writelines(lines)
    talk(f"{len(changes)} entries are in {safe_text(file, 300)}")


@audit.command("anchor")
@click.argument("place", metavar="FILE|URL")
@prints
def anchor(invocation: Invocation, place: str) -> None:
    """Check the log, then append its head, signed with the key in FLAGCONSOLE_ANCHOR_KEY, to FILE, or post it to a URL.

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
        talk(f"BROKEN at entry {report.first_broken}: {safe_text(report.problem)}; nothing was anchored")
        click.get_current_context().exit(ExitCode.REFUSED)
    signed = Anchor(
        environment=environment,
        epoch=report.epoch,
        revision=report.head_revision,
        audit_hash=report.head_hash,
        at=datetime.now(UTC),
    ).signed(key)
    asyncio.run(keep(signed, place, key))
    if invocation.as_json:
        print_json(signed)
    else:
        say(f"anchored revision {signed.revision}, {signed.audit_hash}")


async def _whole_log(backend: Backend, target: Target) -> tuple[LogHead, list[Change]]:
    """Every entry, oldest first, up to the newest one of the first page."""
    from flagconsole.domain.audit import GENESIS
    from flagconsole.domain.log_export import LogHead

    changes: list[Change] = []
    page = await backend.history(limit=500)
    epoch, revision = page.epoch, page.revision
    changes += page.changes
    while page.next_before is not None:
        page = await backend.history(limit=500, before=page.next_before)
        changes += page.changes
    changes.reverse()
    head_hash = changes[-1].hash if changes else GENESIS
    return LogHead(epoch=epoch, head_revision=revision, head_hash=head_hash), changes


def _text(path: Path) -> str:
    """The file's text. Raises ``InvalidInput`` where it can't be read."""
    from flagconsole.domain.errors import InvalidInput

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(field="file", problem=f"can't be read: {error}", value=str(path)) from None
