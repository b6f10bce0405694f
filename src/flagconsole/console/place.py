"""Where a console is: a server, as whom, and how that is called. A context of the configuration, or the command's options."""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from flagconsole.console.at_home import at_home

#: Cells that a store's address may take on the bar.
_ROOM: Final = 36


class Place(NamedTuple):
    """A server and the key for it.

    ``known_as`` names the server where its address doesn't last (an embedded store is served on another port each time);
    cache and journal go by it. ``environment`` and ``colour`` are what the user calls it, until the server says more.
    ``key_reference`` is a shell word that gives the key without being it, for the break-glass command.
    """

    url: str
    api_key: str
    known_as: str = ""
    context: str = ""
    environment: str = ""
    colour: str = ""
    readonly: bool = False
    tenant: str | None = None
    key_reference: str = ""

    def __repr__(self) -> str:
        return f"Place{tuple(self._replace(api_key='…'))!r}"

    @property
    def name(self) -> str:
        """What cache and journal know the server by."""
        return self.known_as or self.url

    @property
    def shown(self) -> str:
        """Where this is, as people know it: an address, or the store that the console serves for itself."""
        if not self.known_as:
            return self.url.partition("://")[2] or self.url
        words = store_words(self.known_as)
        if len(words) > _ROOM:
            words = f"{words.partition(':')[0]}:…/{words.rpartition('/')[2]}"
        return f"embedded · {words}"

    def disagreement(self, environment: str) -> str:
        """What is wrong where the server calls itself something else than the user does, in words; else empty."""
        mine, its = self.environment.casefold(), environment.casefold()
        if not mine or not its or mine == its or {mine, its} <= {"prod", "production"}:
            return ""
        return f"the context {self.context} says {self.environment}, the server says {environment}"


def store_words(url: str) -> str:
    """A store's address for people: never who logs in there, nor with what."""
    kind, _, rest = url.partition(":")
    if kind != "sqlite":
        rest = rest.removeprefix("//").rpartition("@")[2].partition("?")[0]
    return f"{kind}:{at_home(rest)}"


class Sketch(NamedTuple):
    """A context as it is listed: its name, where it leads, and how it looks."""

    name: str
    server: str
    environment: str
    colour: str
    readonly: bool


class Contexts(Protocol):
    """The contexts that can be switched to."""

    def sketches(self) -> list[Sketch]:
        """All of them, in alphabetical order."""
        ...

    def enter(self, name: str) -> Place:
        """The place of one, its key fetched; may take seconds. Raises ``FlagConsoleError`` where that can't be done."""
        ...

    def keep(self, setting: str, value: str | bool) -> None:
        """Write one of the console's settings into the configuration. Raises ``FlagConsoleError``."""
        ...


class Switch(NamedTuple):
    """What the app returns when it ends only to begin again somewhere else."""

    place: Place
