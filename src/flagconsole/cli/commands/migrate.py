"""``migrate``."""

from __future__ import annotations

import time

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import print_json, say
from flagconsole.domain.text import safe_text


@click.command("migrate")
@click.option("--from", "from_url", metavar="URL", required=True, help="The store to move, such as sqlite:flags.db.")
@click.option("--to", "to_url", metavar="URL", required=True, help="An empty database, or a file that isn't there yet.")
@click.option("--new-lineage", is_flag=True, help="For a backup that is put back: clients take everything anew.")
@click.option("--dry-run", is_flag=True, help="Move everything, check it, and undo it.")
@prints
def migrate(invocation: Invocation, from_url: str, to_url: str, new_lineage: bool, dry_run: bool) -> None:
    """Move a whole store to another database: its environments, their log, position, keys and measurements, or nothing.

    Stop its servers first. The old store stays as it is; don't serve it again.
    """
    import asyncio

    from flagconsole.operations.transfer import transfer

    began = time.monotonic()
    moved = asyncio.run(transfer(from_url, to_url, new_lineage=new_lineage, dry_run=dry_run))
    parts = (moved, *moved.further.values())
    rows, seconds = sum(sum(part.tables.values()) for part in parts), time.monotonic() - began
    if invocation.as_json:
        print_json(
            {
                **moved._asdict(),
                "further": {name: part._asdict() for name, part in moved.further.items()},
                "rows": rows,
                "seconds": round(seconds, 3),
                "verified": True,
                "dry_run": dry_run,
            }
        )
        return
    did = "would move" if dry_run else "moved"
    say(f"{did} {rows} rows of {len(moved.tables)} tables in {seconds:.1f} s")
    say(f"verified {moved.entries} entries, at revision {moved.revision} of {safe_text(moved.epoch)}")
    for name, part in moved.further.items():
        words = f"verified {part.entries} entries, at revision {part.revision} of {safe_text(part.epoch)}"
        say(f"{safe_text(name)}: {words}")
