"""``completion``."""

from __future__ import annotations

import sys
from typing import Final

import click

from flagconsole.cli.output import say_whole, talk

_PROGRAMS: Final = ("flagconsole", "thorbis-flags")
_HOW: Final = {
    "bash": "echo 'eval \"$(flagconsole completion bash)\"' >> ~/.bashrc",
    "zsh": "echo 'eval \"$(flagconsole completion zsh)\"' >> ~/.zshrc (below compinit)",
    "fish": "echo 'flagconsole completion fish | source' >> ~/.config/fish/config.fish",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_HOW)))
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options, states, and the names of the flags that there are."""
    from click.shell_completion import get_completion_class

    from flagconsole.cli.main import cli

    made_by = get_completion_class(shell)
    assert made_by is not None
    for program in _PROGRAMS:
        variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
        say_whole(made_by(cli, {}, program, variable).source().strip())
    if sys.stdout.isatty():
        talk(f"to have it in every shell: {_HOW[shell]}")
