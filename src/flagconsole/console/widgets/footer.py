"""The row of keys at the bottom, made from the key map: what can be pressed here and now."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from flagconsole.console.keymap import Command, Needs, key_name
from flagconsole.console.line import Line, joined, line, line_width
from flagconsole.console.safe import span
from flagconsole.console.widgets.painted import Painted
from flagconsole.domain.states import FlagState

#: Which commands give way, and which never, where the flag is killed.
_KILLED: Final = {"kill": 6, "revive": 0}

#: These stay whatever the width: what shows all the keys that there was no room for, and what leaves a sheet or box.
_KEPT: Final = ("help", "sheet.cancel", "zoom.close")


@lru_cache(64)
def footer(commands: tuple[Command, ...], width: int) -> Line:
    """The commands' first keys with their labels; those that can be spared give way where room is short."""
    shown = [command for command in commands if command.label]
    parts = [(command, _part(command)) for command in shown]
    while parts and line_width(joined([part for _, part in parts])) + 2 > width:
        last = max(range(len(parts)), key=lambda index: (_gives_way(parts[index][0]), index))
        if parts[last][0].id in _KEPT:
            break
        del parts[last]
    return line(" ", *joined([part for _, part in parts]))


def _gives_way(command: Command) -> tuple[bool, int, bool]:
    """What goes first has the highest: what can be spared, then what looks, always and everywhere."""
    acts = command.group == "act" or command.needs is not Needs.NOTHING
    return command.id not in _KEPT, command.spare, not acts


def _part(command: Command) -> Line:
    keys = command.keys
    if command.numbered:
        name = f"{keys[0]}–{keys[-1]}"
    elif command.id == "sheet.cancel":
        name = f"{key_name(keys[0])}/{key_name(keys[1])}"
    else:
        name = key_name(keys[0])
    return line(span(name, "key"), " ", span(command.label))


class Footer(Painted):
    """The footer of the current screen or sheet."""

    ground = "footer"

    def draw(self, width: int, height: int) -> list[Line]:
        """One row."""
        commands = tuple(self.console.commands())
        flag = self.console.state.flags.get(self.console.console_screen.target() or "")
        if flag is not None and flag.state is FlagState.KILL:
            # A second kill changes nothing: the room is for what clears it.
            commands = tuple(command._replace(spare=_KILLED.get(command.id, command.spare)) for command in commands)
        rollout = None if flag is None else self.console.state.rollouts.get(flag.name)
        if rollout is not None and rollout.active and rollout.held_by_server:
            # It waits for a person: the key that helps stays.
            commands = tuple(command._replace(spare=0) if command.id == "promote" else command for command in commands)
        return [footer(commands, width)]
