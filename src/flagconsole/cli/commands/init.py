"""``init``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes
from flagconsole.cli.output import print_json, say
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.domain.requests import FlagCreate


@click.command("init")
@click.option(
    "--catalogue",
    default="thorbis",
    show_default=True,
    metavar="NAME|FILE",
    help="A catalogue that ships with flagconsole, or a YAML or JSON file (- for standard input).",
)
@changes
def init(invocation: Invocation, catalogue: str) -> None:
    """Load a catalogue of flags into an empty store, all in one step.

    Works on a store, not through a server: a server that runs on the store sees the flags at once.
    """
    import asyncio

    from flagconsole.cli.embedded import open_embedded

    target = invocation.target()
    if target.store is None:
        raise click.UsageError("init works on a store, not through a server: run it beside the store, with --store")
    store = target.store
    flags = _read(catalogue)

    async def load() -> int:
        async with open_embedded(store, environment=target.environment, called=target.label) as embedded:
            return await embedded.load_catalogue(flags, dry_run=invocation.dry_run)

    count = asyncio.run(load())
    if invocation.as_json:
        names = [flag.flag_name for flag in flags]
        print_json({"loaded": 0 if invocation.dry_run else count, "dry_run": invocation.dry_run, "flags": names})
    else:
        did = "would load" if invocation.dry_run else "loaded"
        say(f"{did} {count} flag{'' if count == 1 else 's'} into {safe_text(store)}")


def _read(catalogue: str) -> list[FlagCreate]:
    from flagconsole.operations.catalogue import SHIPPED, parse_catalogue, shipped_catalogue

    if catalogue in SHIPPED:
        return shipped_catalogue(catalogue)
    try:
        data = sys.stdin.buffer.read() if catalogue == "-" else Path(catalogue).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        shipped = ", ".join(SHIPPED)
        problem = f"is neither a file that can be read ({error.strerror}) nor a shipped catalogue ({shipped})"
        raise InvalidInput(field="catalogue", problem=problem, value=catalogue) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(field="catalogue", problem=f"is not UTF-8 at byte {error.start}", value=catalogue) from None
    return parse_catalogue(text, "standard input" if catalogue == "-" else catalogue)
