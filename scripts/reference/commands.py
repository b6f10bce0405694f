"""Every command of the command line."""

from __future__ import annotations

from collections.abc import Iterator

import click

from flagconsole.cli.main import COMMANDS, cli
from reference.page import code, page, sentence, table

ABOUT = """Every command with its arguments and options, in the order of `flagconsole --help`. What they mean together, exit codes
and examples: [the command line](../cli.md). The options of the last section can stand before or behind any command."""


def text() -> str:
    """The page."""
    context = click.Context(cli, info_name="flagconsole")
    parts = []
    for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
        parts.append(f"## {section}")
        for name in (name for name, entry in COMMANDS.items() if entry.section == section):
            command = cli.get_command(context, name)
            assert command is not None
            parts += [_command(found, words) for words, found in _tree(command, name)]
    parts += ["## Everywhere", _options(cli.params)]
    return page("Commands", ABOUT, *parts)


def _tree(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _tree(child, f"{words} {name}")


def _command(command: click.Command, words: str) -> str:
    everywhere = {parameter.name for parameter in cli.params}
    own = [parameter for parameter in command.params if parameter.name not in everywhere]
    usage = " ".join([f"flagconsole {words}", *command.collect_usage_pieces(click.Context(command, info_name=words))])
    parts = [f"### `{words}`", sentence(command.help), f"```\n{usage}\n```", _options(own)]
    return "\n\n".join(part for part in parts if part)


def _options(parameters: list[click.Parameter]) -> str:
    rows = []
    for option in parameters:
        if not isinstance(option, click.Option) or option.hidden or "--help" in option.opts:
            continue
        names = ", ".join(code(name) for name in [*option.opts, *option.secondary_opts])
        value = "" if option.is_flag else option.make_metavar(click.Context(cli))
        rows.append((names, code(value), _default(option), sentence(option.help)))
    return table(("option", "value", "default", "meaning"), rows)


def _default(option: click.Option) -> str:
    variables = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
    said = [code(f"${name}") for name in variables]
    if option.show_default and option.default not in (None, False):
        said.append(code(option.default))
    return ", else ".join(said)
