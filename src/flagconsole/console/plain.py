"""The status as plain text, for terminals that can't show a screen and for pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from flagconsole.console.rows import flag_row
from flagconsole.domain.errors import ExitCode, FlagConsoleError
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.domain.views import FlagListing, Status


async def print_status(url: str, api_key: str, out: TextIO) -> int:
    """Write the fleet's state to ``out``, a line for each flag. Returns the exit code; an error is one line."""
    from flagconsole.client.http import Client

    try:
        async with Client(url, api_key) as client:
            status, listing = await client.status(), await client.flags()
    except FlagConsoleError as error:
        out.write(f"{safe_text(error)}\n")
        return error.exit_code
    for line in status_lines(url, status, listing):
        out.write(f"{line}\n")
    return ExitCode.OK


def status_lines(url: str, status: Status, listing: FlagListing) -> list[str]:
    """The lines: where one is, who runs, then each flag with its state and newest change."""
    lines = [
        f"{safe_text(status.environment.upper())}  {safe_text(url)}  rev {status.revision}  "
        f"SDK {status.instances_live}/{status.instances_expected}  role {status.you.role.value}"
    ]
    for flag in sorted(listing.flags, key=lambda item: item.flag_name):
        row = flag_row(flag.model_dump(mode="json"))
        last = row.last
        newest = f"  {last.who}: {last.reason}" if last is not None else ""
        lines.append(safe_text(f"{row.name:<32} {row.setting:<18}{newest}", 300))
    return lines
