"""What the text in the command palette can mean: a command's word, then what it is about. The likeliest comes first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from flagconsole.console.ages import ago_words, moment_text
from flagconsole.console.keymap import OF_A_FLAG, Command, key_name
from flagconsole.console.sheets.tenant import matching_tenants
from flagconsole.console.state import ConsoleState, Order
from flagconsole.console.tabs import Tab
from flagconsole.console.theme import theme_files
from flagconsole.domain.moment import MOMENT_HELP, moment_of

MOST: Final = 12
_OF_A_TENANT: Final = frozenset({"tenant", "go.tenants"})
#: Commands that mean nothing alone: without an argument what could follow is shown at once.
_HUNGRY: Final = frozenset({"theme", "filter", "order", "around", "environment"})
#: How alike a word and a command's have to be for the one to be meant by the other: two slips in a word of eight letters.
_CLOSE: Final = 0.7


class Choice(NamedTuple):
    """One row of the palette: what is called with which argument, how it reads, and what it says beside that."""

    command_id: str
    argument: str
    text: str
    key: str
    note: str


def choices(commands: Iterable[Command], state: ConsoleState, typed: str, now: float, most: int = MOST) -> list[Choice]:
    """What the typed text can mean; ``now`` is the server's time."""
    word, blank, rest = typed.lstrip(": ").partition(" ")
    word, rest = word.casefold(), rest.strip()
    able = [command for command in commands if command.words]
    found: list[Choice] = []
    for command, name in _named(able, word, exactly=bool(blank)):
        found.extend(_choices_of(command, name, state, rest, bool(blank) or word == name, now))
    if not found and word and not blank:
        # A flag's name alone is a wish to see it.
        names = closest(word, state.flags)[:most]
        found = [Choice("detail", name, name, "d", state.flags[name].setting) for name in names]
    if not found and word:
        known = {name: command for command in able for name in command.words}
        begun = [name for _, name in _named(able, word, exactly=False)]
        meant = [] if word in known else begun[:3] or difflib.get_close_matches(word, known, n=3, cutoff=_CLOSE)
        for name in meant:
            for choice in _choices_of(known[name], name, state, rest, bool(blank), now)[:3]:
                found.append(choice._replace(note=f"did you mean this?  {choice.note}".rstrip()))
    return found[:most]


def why_nothing(commands: Iterable[Command], withheld: Iterable[Command], typed: str, why: str) -> str:
    """Why the typed text means none of the ``commands``; ``why`` the ``withheld`` ones can't be called now."""
    word, _, rest = typed.lstrip(": ").partition(" ")
    if any(word.casefold() in command.words for command in withheld):
        return f"{word}: not now: {why}"
    known = next((command for command in commands if word.casefold() in command.words), None)
    if known is not None and rest.strip():
        what = "no flag is called" if known.id in OF_A_FLAG else f"{word} doesn't know"
        return f"{what} {rest.strip()!r}"
    return f"no command and no flag is called {word!r}; ? shows all that there are"


def _named(commands: Sequence[Command], word: str, *, exactly: bool) -> list[tuple[Command, str]]:
    """The commands that a word calls: those of that name, those whose name begins with it, those that have its letters."""
    ranked: list[tuple[int, int, Command, str]] = []
    for place, command in enumerate(commands):
        fits = [(rank, name) for name in command.words if (rank := _rank(word, name)) is not None]
        if fits:
            rank, name = min(fits)
            ranked.append((rank, place, command, name))
    ranked.sort(key=lambda item: item[:2])
    if exactly:
        ranked = [item for item in ranked if item[0] == 0]
    elif any(rank < 2 for rank, *_ in ranked):
        ranked = [item for item in ranked if item[0] < 2]
    return [(command, name) for _, _, command, name in ranked]


def _rank(word: str, name: str) -> int | None:
    if word == name:
        return 0
    if name.startswith(word):
        return 1
    return 2 if is_spelt_in(word, name) else None


def is_spelt_in(letters: str, text: str) -> bool:
    """Whether ``text`` has these letters in this order, with others between them."""
    rest = iter(text)
    return all(letter in rest for letter in letters)


def closest(typed: str, names: Iterable[str]) -> list[str]:
    """The names that fit what was typed: those that begin with it, hold it, or have its letters in order."""
    wanted = typed.casefold()
    ranked = []
    for name in names:
        folded = name.casefold()
        place = folded.find(wanted)
        if place >= 0:
            ranked.append((int(place > 0), place, len(name), name))
        elif is_spelt_in(wanted, folded):
            ranked.append((2, 0, len(name), name))
    return [item[-1] for item in sorted(ranked)]


def _choices_of(command: Command, name: str, state: ConsoleState, rest: str, asked: bool, now: float) -> list[Choice]:
    key = key_name(command.keys[0]) if command.keys else ""
    if asked or command.id in _HUNGRY:
        arguments = _arguments(command.id, state, rest, now)
        if arguments is not None:
            return [
                Choice(command.id, value, f"{name} {value}".rstrip(), key, note) for value, note in arguments[:MOST]
            ]
    return [] if rest else [Choice(command.id, "", name, key, command.help)]


def _arguments(command_id: str, state: ConsoleState, typed: str, now: float) -> list[tuple[str, str]] | None:
    """The arguments that fit, each with a note; None for a command that takes none."""
    if command_id in OF_A_FLAG:
        names = closest(typed, state.flags)
        if not typed:
            names.sort(key=lambda name: (name != state.selected, name))
        return [(name, state.flags[name].setting) for name in names]
    if command_id in _OF_A_TENANT:
        known = [(name, state.tenant_names[name]) for name in matching_tenants(state, typed, MOST)]
        return known or [(typed, "not a known tenant" if typed else "no tenant is known yet")]
    match command_id:
        case "environment":
            notes = dict(state.contexts)
            return [(name, notes[name]) for name in closest(typed, notes)]
        case "theme":
            return [(name, "") for name in theme_files() if typed.casefold() in name]
        case "order":
            return [(order.value, "") for order in Order if typed.casefold() in order.value]
        case "filter":
            return [(typed, "")]
        case "tab":
            return [
                (str(tab.number), tab.title)
                for tab in Tab
                if typed.casefold() in (str(tab.number), "") or typed.casefold() in tab.title.casefold()
            ]
        case "around" | "travel":
            moment = moment_of(typed, now)
            if moment is None:
                return [("", f"a time: {MOMENT_HELP}")]
            what = "changes nearest to" if command_id == "around" else "the fleet as of"
            return [(typed, f"{what} {moment_text(moment, now)}Z, {ago_words(now - moment)}")]
    return None
