"""The whole log of a store or server, and exported ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.change import Change
    from flagconsole.domain.log_export import LogExport


async def whole_log(backend: Backend, target: Target) -> LogExport:
    """Every change and act, oldest first, up to the newest ones of the first pages."""
    from flagconsole.domain.audit import GENESIS
    from flagconsole.domain.log_export import LogExport, LogHead

    # Acts first: what was done since is in neither, and an act is never older than the changes that it names.
    first = newest = await backend.audit_log(limit=500)
    acts = [*newest.acts]
    while newest.next_before is not None:
        newest = await backend.audit_log(limit=500, before=newest.next_before)
        acts += newest.acts
    changes: list[Change] = []
    page = await backend.history(limit=500)
    epoch, revision = page.epoch, page.revision
    changes += page.changes
    while page.next_before is not None:
        page = await backend.history(limit=500, before=page.next_before)
        changes += page.changes
    head_hash = changes[0].hash if changes else GENESIS
    head = LogHead(
        epoch=epoch, head_revision=revision, head_hash=head_hash, act_id=first.act_id, act_hash=first.act_hash
    )
    return LogExport(head, changes[::-1], acts[::-1])


def text_of(path: Path) -> str:
    """The file's text. Raises ``InvalidInput`` where it can't be read."""
    from flagconsole.domain.errors import InvalidInput

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(field="file", problem=f"can't be read: {error}", value=str(path)) from None
