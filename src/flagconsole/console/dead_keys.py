"""What a key that does nothing here and now is answered with: why, and where it would do something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagconsole.console.keymap import CONTEXTS, Command, KeyMap, Needs, Powers, key_name

if TYPE_CHECKING:
    from flagconsole.console.state import ConsoleState

#: The screens as they are called; the contexts that aren't here are sheets and boxes.
_SCREENS: Final = {
    "fleet": "fleet",
    "canary": "rollout",
    "detail": "detail",
    "incidents": "incidents",
    "history": "history",
    "instances": "instances",
    "tenants": "tenants",
    "shadow": "shadow",
    "approvals": "approvals",
    "reviews": "break-glass",
    "settings": "settings",
}
#: The commands that go to a screen, by its name.
_GO: Final = {
    "fleet": "go.fleet",
    "incidents": "go.incidents",
    "history": "go.history",
    "tenants": "go.tenants",
}
_LEAVING: Final = frozenset({"leave", "canary_leave", "detail_leave", "settings.leave"})
_LACKING: Final = {
    Needs.OFFLINE: "is for a lost connection, and this one is live",
    Needs.WARNED: "puts a warning away, and the banner has none",
    Needs.ARM: "arms a kill where none can be sent",
}


def why_withheld(state: ConsoleState) -> str:
    """Why the actions that the user may otherwise take aren't there now."""
    return "this is the past, T returns to now" if state.past is not None else state.connection.withheld_reason


def screen_key_words(keymap: KeyMap, context: str, key: str, powers: Powers) -> str:
    """Why ``key`` does nothing on the screen of a context."""
    name = key_name(key)
    known = [command for command in keymap.commands if key in command.keys]
    here = next((command for command in known if command.context in CONTEXTS[context]), None)
    if here is not None and here.needs in _LACKING and not powers.allow(here.needs):
        return f"{name} {_LACKING[here.needs]}"
    if any(command.id == "quit" for command in known):
        leaving = next((command for command in keymap.available(context, powers) if command.id in _LEAVING), None)
        also = f"; {key_name(leaving.keys[0])} leaves from here" if leaving is not None else ""
        return f"{name} leaves the console from the fleet only{also}"
    elsewhere = [screens for command in known if (screens := _screens_of(command))]
    named = next((screens for screens in elsewhere if len(screens) < 4), None)
    if named is not None:
        way = _GO.get(named[0], "") if len(named) == 1 else ""
        there = next((f" ({key_name(command.keys[0])})" for command in keymap.commands if command.id == way), "")
        return f"{name} does nothing here: it is a key of {' and '.join(named)}{there}"
    if elsewhere:
        return f"{name} does nothing here, but on other screens; {_help_key(keymap)} shows the keys of this one"
    return f"{name} does nothing; {_help_key(keymap)} shows the keys"


def sheet_key_words(keymap: KeyMap, key: str, offered: list[Command]) -> str:
    """What ``key`` doesn't do while a sheet is open that offers these commands: then only those count."""
    name = key_name(key)
    way = ", ".join(
        f"{_keys_text(command)} {command.label}" for command in offered if command.label and not command.spare
    )
    return f"{name} does nothing here: {way}"


def _keys_text(command: Command) -> str:
    first, last = command.keys[0], command.keys[-1]
    return f"{first}–{last}" if command.numbered else key_name(first)


def _screens_of(command: Command) -> list[str]:
    return [
        _SCREENS[context] for context, parts in CONTEXTS.items() if context in _SCREENS and command.context in parts
    ]


def _help_key(keymap: KeyMap) -> str:
    return key_name(keymap.command("help").keys[0])
