"""``console``."""

from __future__ import annotations

import os
import sys

import click

from flagconsole.cli.invocation import Invocation, connection_options


@click.command("console")
@click.option("--readonly", is_flag=True, help="Look, but change nothing.")
@click.option("--mouse", is_flag=True, help="Use the mouse (and give up selecting text with it).")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
@click.option("--theme", metavar="NAME", help="night, day, high-contrast, mono or one of yours.")
@connection_options
@click.pass_obj
def console(
    invocation: Invocation,
    readonly: bool = False,
    mouse: bool = False,
    ascii_only: bool = False,
    theme: str | None = None,
) -> None:
    """Open the console. Without a configured server it serves the embedded store for itself.

    Where there is no terminal that can show it, the status is printed instead.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        from flagconsole.cli.commands.reading import status

        click.get_current_context().invoke(status)
        return
    from flagconsole.console.entry import run_console
    from flagconsole.console.manners import Manners
    from flagconsole.console.place import Place

    target = invocation.target()
    manners = Manners(mouse=mouse, ascii_only=ascii_only, theme=theme)
    if target.url is not None:
        place = Place(target.url, target.api_key(), readonly=readonly, tenant=target.tenant)
        code = run_console(place, manners)
    else:
        from flagconsole.cli.own_server import own_server

        with own_server(str(target.store)) as server:
            place = Place(
                server.url, server.api_key, known_as=str(target.store), readonly=readonly, tenant=target.tenant
            )
            code = run_console(place, manners)
    click.get_current_context().exit(code)
