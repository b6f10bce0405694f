"""What was asked for besides a command's own arguments: where, as whom, for which tenant, and how to answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Invocation:
    """The options that every command shares. An option behind the command replaces the same one before it."""

    url: str | None = None
    store: str | None = None
    api_key: str | None = field(default=None, repr=False)
    tenant: str | None = None
    context: str | None = None
    environment: str | None = None
    as_json: bool = False
    dry_run: bool = False
    idempotency_key: str | None = None

    def target(self) -> Target:
        """Where the command works, from these options, the environment and the configuration, in this order."""
        from flagconsole.cli.target import resolve

        return resolve(self)

    def run(self, work: Callable[[Backend, Target], Awaitable[T]], *, create: bool = False) -> T:
        """Run ``work`` on the backend. An unknown flag's error names the flag that may have been meant. Only commands that
        put the first things into a store may ``create`` it."""
        import asyncio

        from flagconsole.cli.backend import working_on

        return asyncio.run(working_on(self.target(), work, create=create))


class _Everywhere(click.Option):
    """An option that every command takes, and that ``flagconsole --help`` explains. In the help of a command all of them are
    one row, so that its own options are what one sees."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The row of the option; below the program itself that of all of them, said by the last."""
        shared = [parameter for parameter in ctx.command.params if isinstance(parameter, _Everywhere)]
        if ctx.parent is None or len(shared) == 1:
            return super().get_help_record(ctx)
        names = ", ".join(parameter.opts[0] for parameter in shared)
        return ("Everywhere", f"{names}: see {ctx.find_root().info_name} --help.") if self is shared[-1] else None


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value is not None and value is not False:
        setattr(ctx.ensure_object(Invocation), str(parameter.name), value)


def _kept(*flags: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*flags, callback=_keep, expose_value=False, **attributes)


def _shared(*flags: str, **attributes: Any) -> Callable[[F], F]:
    return _kept(*flags, cls=_Everywhere, **attributes)


def connection_options(command: F) -> F:
    """``--context``, ``--url``, ``--store``, ``--environment``, ``--api-key`` and ``--tenant``."""
    for option in (
        _shared("--tenant", metavar="ID", help="The tenant to show or change it for, where a command asks for one."),
        _shared("--api-key", metavar="KEY", help="The API key to use (better: FLAGCONSOLE_API_KEY)."),
        _shared(
            "--environment",
            metavar="NAME",
            help="The environment that is meant: production, staging … [a store's first one].",
        ),
        _shared("--store", metavar="URL", help="Work on this store, such as sqlite:flags.db, without a server."),
        _shared("--url", metavar="URL", help="Work on this server."),
        _shared("--context", metavar="NAME", help="Work in this context of the configuration."),
    ):
        command = option(command)
    return command


def prints(command: F) -> F:
    """The options of a command that prints."""
    return click.pass_obj(connection_options(json_option(command)))  # type: ignore[return-value]


def json_option(command: F) -> F:
    """``--json``."""
    return _shared("--json", "as_json", is_flag=True, help="Print JSON.")(command)


_dry_run = _kept("--dry-run", is_flag=True, help="Show what would happen; change nothing.")
_idempotency_key = _kept(
    "--idempotency-key", metavar="KEY", help="Repeat a request whose answer was lost, never doing it twice."
)


def writes(command: F) -> F:
    """The options of a command that writes a file of one's own."""
    return _dry_run(prints(command))


def changes(command: F) -> F:
    """The options of a command that changes something in a store."""
    return _dry_run(_idempotency_key(prints(command)))
