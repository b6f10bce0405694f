"""The flags that there are now, for a shell that completes a line."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import click

from flagconsole.cli.invocation import Invocation
from flagconsole.domain.names import is_flag_name

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.states import FlagState

#: Somebody waits with a half typed line: rather no names than a long wait.
_SECONDS: Final = 1.5


def live_flags(ctx: click.Context) -> dict[str, FlagState]:
    """The flags of the place that the line names, with their states; none where it can't be asked in time. Only what is a
    flag's name gets to the shell, whatever a server says."""
    from flagconsole.cli.backend import working_on

    async def names(backend: Backend, target: Target) -> dict[str, FlagState]:
        listing = await backend.flags()
        return {flag.flag_name: flag.current_state for flag in listing.flags if is_flag_name(flag.flag_name)}

    invocation = ctx.find_object(Invocation) or Invocation()
    try:
        return asyncio.run(asyncio.wait_for(working_on(invocation.target(), names), _SECONDS))
    except Exception:  # an error in the middle of a line that somebody types helps nobody
        return {}
