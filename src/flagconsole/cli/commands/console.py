"""``console``."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack

import click

from flagconsole.cli.invocation import Invocation, connection_options


@click.command("console")
@click.option("--readonly", is_flag=True, help="Look, but change nothing.")
@click.option("--mouse", is_flag=True, help="Use the mouse (and give up selecting text with it).")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw with ASCII characters only.")
@click.option("--slow-link", is_flag=True, help="Send as little as possible to the terminal: 256 colours, slow charts.")
@click.option(
    "--theme", metavar="NAME", help="night, day, high-contrast, deuteranopia, tritanopia, mono or one of yours."
)
@connection_options
@click.pass_obj
def console(
    invocation: Invocation,
    readonly: bool = False,
    mouse: bool = False,
    ascii_only: bool = False,
    slow_link: bool = False,
    theme: str | None = None,
) -> None:
    """Open the console. Without a configured server it serves the embedded store for itself.

    Where there is no terminal that can show it, the status is printed instead.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM", "dumb") == "dumb":
        from flagconsole.cli.commands.status import status

        click.get_current_context().invoke(status)
        return
    from flagconsole.console.guardian import stand_guard

    stand_guard()
    from flagconsole.cli.configuration import configuration_path
    from flagconsole.cli.contexts import ConfiguredContexts, Context
    from flagconsole.cli.manners_file import manners_of
    from flagconsole.cli.output import talk
    from flagconsole.console.entry import run_console
    from flagconsole.console.place import store_words
    from flagconsole.domain.text import safe_text

    target = invocation.target()
    manners = manners_of(target.configured, configuration_path())
    manners = manners._replace(
        mouse=mouse or manners.mouse,
        ascii_only=ascii_only or manners.ascii_only,
        slow_link=slow_link or manners.slow_link,
        theme=theme or manners.theme,
    )
    with ExitStack() as stack:
        contexts = ConfiguredContexts(stack, readonly=readonly)
        # A place that was named by itself is a context without a name.
        context = target.context or Context(
            "", url=target.url, store=target.store, environment=target.environment or ""
        )
        key = target.api_key() if target.url is not None else None
        if context.store is not None:
            # Nothing can be painted before that answers, and a blank screen of some seconds says nothing.
            talk(f"starting a server on {safe_text(store_words(context.store), 200)} …")
        place = contexts.placed(context, key, target.tenant)
        code = run_console(place, manners, contexts)
    click.get_current_context().exit(code)
