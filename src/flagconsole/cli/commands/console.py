"""``console``."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import NamedTuple

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
    from flagconsole.console.quiet_terminal import quiet_terminal

    stand_guard()
    options = Options(readonly, mouse, ascii_only, slow_link, theme)
    with quiet_terminal():
        code = _run(invocation, options)
    click.get_current_context().exit(code)


class Options(NamedTuple):
    """What the command line says of the console's manners."""

    readonly: bool
    mouse: bool
    ascii_only: bool
    slow_link: bool
    theme: str | None


def _run(invocation: Invocation, options: Options) -> int:
    """Open the console, and return its exit code once it was left."""
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
        mouse=options.mouse or manners.mouse,
        ascii_only=options.ascii_only or manners.ascii_only,
        slow_link=options.slow_link or manners.slow_link,
        theme=options.theme or manners.theme,
    )
    with ExitStack() as stack:
        contexts = ConfiguredContexts(stack, readonly=options.readonly)
        # A place that was named by itself is a context without a name.
        context = target.context or Context(
            "", url=target.url, store=target.store, environment=target.environment or ""
        )
        key = target.api_key() if target.url is not None else None
        if context.store is not None:
            # Nothing can be painted before that answers, and a blank screen of some seconds says nothing.
            talk(f"starting a server on {safe_text(store_words(context.store), 200)} …")
        place = contexts.placed(context, key, target.tenant)
        return run_console(place, manners, contexts)
