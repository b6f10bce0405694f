"""``audit missing``."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import print_json, print_table, say, talk, when
from flagconsole.cli.whole_log import text_of, whole_log
from flagconsole.domain.errors import ExitCode
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.domain.log_export import LogExport


@click.command("missing")
@click.argument("export", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="EXPORT")
@prints
def missing(invocation: Invocation, export: Path) -> None:
    """Show what the log in EXPORT has and this store's hasn't, and which flags that were killed there are to be killed again.

    For the time after an older backup was put back: EXPORT is what `audit export` wrote last, or writes of the damaged store.
    Exits with 4 while a flag that was killed at its end isn't killed here and wasn't since.
    """
    from flagconsole.cli.wording import transition
    from flagconsole.domain.lost_changes import lost_changes

    exported = _exported(export)
    here = invocation.run(whole_log)
    changes, kills = lost_changes(exported.changes, here.changes)
    known = {act.hash for act in here.acts or ()}
    acts = [act for act in exported.acts or () if act.hash not in known]
    if invocation.as_json:
        print_json(
            {
                "missing": [change.model_dump(mode="json") for change in changes],
                "acts": [act.model_dump(mode="json") for act in acts],
                "kill_again": [change.model_dump(mode="json") for change in kills],
            }
        )
    elif not changes and not acts:
        say(f"nothing is missing: all of {safe_text(export, 300)} is in this log")
    else:
        rows = [
            (when(change.changed_at), change.flag_name, transition(change), change.changed_by, change.change_reason)
            for change in changes
        ]
        rows += [
            (when(act.done_at), act.subject, act.kind.value.replace("_", " "), act.done_by, act.reason or "")
            for act in acts
        ]
        print_table(("WHEN", "WHAT", "CHANGE", "BY", "WHY"), rows)
    if kills:
        talk("killed there, and not here; kill again before services reach this store:")
        for change in kills:
            talk(f"  flagconsole kill {change.flag_name} {quote(safe_text(change.change_reason, 500))}")
        click.get_current_context().exit(ExitCode.REFUSED)


def _exported(path: Path) -> LogExport:
    """The log in a file. Raises ``InvalidInput`` where it is none, or not a whole one."""
    from flagconsole.domain.anchor import verify_acts, verify_log
    from flagconsole.domain.errors import InvalidInput
    from flagconsole.domain.log_export import read_log

    log = read_log(text_of(path).splitlines(), str(path))
    found = verify_log(log.changes, log.head.head_revision, log.head.head_hash)
    acts = verify_acts(log.acts, log.head.act_id, log.head.act_hash)
    for kind, report in (("entry", found), ("act", acts)):
        if report is not None and not report.verified:
            problem = f"is no whole log: {kind} {report.first_broken}: {safe_text(report.problem)}"
            raise InvalidInput(field="export", problem=problem, value=str(path))
    return log
