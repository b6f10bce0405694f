"""The contexts of the configuration: servers (or stores) by name, each with its key, its environment and its manners."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

from flagconsole.cli import configuration, key_source
from flagconsole.cli.configuration import Configuration, server_url
from flagconsole.cli.key_source import KeySource
from flagconsole.cli.suggestion import did_you_mean
from flagconsole.console.place import Place, Sketch
from flagconsole.domain.errors import InvalidInput, Unauthenticated
from flagconsole.domain.text import safe_text

COLOURS: Final = ("red", "amber", "grey")
_KEYS: Final = ("url", "store", "environment", "colour", "readonly", "tenant", "key")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


@dataclass(frozen=True, slots=True)
class Context:
    """One context: a server (``url``) or an embedded store (``store``). ``readonly`` holds in the console."""

    name: str
    url: str | None = None
    store: str | None = None
    environment: str = ""
    colour: str = ""
    readonly: bool = False
    tenant: str | None = None
    key: KeySource | None = None

    def api_key(self) -> str:
        """The key that the context names. Raises ``Unauthenticated``."""
        if self.key is None:
            raise Unauthenticated(f"The context {self.name} names no key; set FLAGCONSOLE_API_KEY.")
        return self.key.fetch(self.name, self.url or "")

    def place(self, api_key: str, *, readonly: bool = False, tenant: str | None = None) -> Place:
        """Where the console is in this context."""
        return Place(
            self.url or "",
            api_key,
            context=self.name,
            environment=self.environment,
            colour=self.colour,
            readonly=self.readonly or readonly,
            tenant=tenant or self.tenant,
            key_reference=self.key.reference(self.url or "") if self.key is not None else "",
        )


def checked_name(name: str, field: str = "NAME") -> str:
    """The name of a context. Raises ``InvalidInput`` for one that can't be typed after ``--context``."""
    if not _NAME.fullmatch(name):
        problem = "must be letters, digits, dots, dashes and underscores, beginning with a letter or digit"
        raise InvalidInput(field=field, problem=problem, value=safe_text(name, 100))
    return name


def contexts_of(known: Configuration) -> dict[str, Context]:
    """All contexts by name. Raises ``InvalidInput`` that names the key, its value and what would be right."""
    tables = known.tables.get("contexts", {})
    if not isinstance(tables, dict):
        raise InvalidInput(
            field="contexts", problem="must be tables like [contexts.prod]", value=safe_text(tables, 100)
        )
    return {name: context_of(name, table) for name, table in sorted(tables.items())}


def context_of(name: str, table: Any) -> Context:
    """The context that a table of the file describes. Raises ``InvalidInput`` naming the key."""
    where = f"contexts.{checked_name(name, 'contexts')}"
    if not isinstance(table, dict):
        raise InvalidInput(field=where, problem=f"must be a table like [{where}]", value=safe_text(table, 100))
    for key, value in table.items():
        if key not in _KEYS:
            problem = f"is not a key of a context; known are {', '.join(_KEYS)}"
            raise InvalidInput(field=f"{where}.{safe_text(key, 60)}", problem=problem, value=_shown(key, value))
    texts = {key: _text(table, key, where) for key in ("url", "store", "environment", "colour", "tenant")}
    if (texts["url"] is None) == (texts["store"] is None):
        problem = "needs a url or a store, one of them"
        raise InvalidInput(field=where, problem=problem, value=safe_text(texts["url"] or "neither", 200))
    if texts["colour"] not in {None, *COLOURS}:
        raise InvalidInput(
            field=f"{where}.colour",
            problem=f"must be one of {', '.join(COLOURS)}",
            value=safe_text(texts["colour"], 60),
        )
    readonly = table.get("readonly", False)
    if not isinstance(readonly, bool):
        raise InvalidInput(field=f"{where}.readonly", problem="must be true or false", value=safe_text(readonly, 60))
    if "key" in table and texts["store"] is not None:
        raise InvalidInput(field=f"{where}.key", problem="a store of your own needs no key", value="…")
    return Context(
        name,
        None if texts["url"] is None else server_url(texts["url"], f"{where}.url"),
        texts["store"],
        texts["environment"] or "",
        texts["colour"] or "",
        readonly,
        texts["tenant"],
        key_source.parsed(table["key"], f"{where}.key") if "key" in table else None,
    )


def context_named(known: Configuration, name: str, field: str = "--context") -> Context:
    """The context of that name. Raises ``InvalidInput`` that names the one that may have been meant."""
    tables = known.tables.get("contexts", {})
    names = list(tables) if isinstance(tables, dict) else []
    if name not in names:
        there = (
            f"There are {', '.join(sorted(names))}." if names else "Add one: flagconsole contexts add NAME --url URL"
        )
        problem = "there is no such context"
        raise InvalidInput(
            f"{there}{did_you_mean(name, names)}", field=field, problem=problem, value=safe_text(name, 100)
        )
    return context_of(name, tables[name])


class ConfiguredContexts:
    """The contexts as the console sees them. Servers on embedded stores are started into ``stack``."""

    def __init__(self, stack: ExitStack, *, readonly: bool = False) -> None:
        self._stack = stack
        self._readonly = readonly

    def sketches(self) -> list[Sketch]:
        """All of them, in alphabetical order. Raises ``InvalidInput`` for a configuration that can't be used."""
        return [
            Sketch(item.name, item.url or str(item.store), item.environment, item.colour, item.readonly)
            for item in contexts_of(configuration.load(configuration.configuration_path())).values()
        ]

    def enter(self, name: str) -> Place:
        """Where the console is in the context of that name, its key fetched."""
        known = configuration.load(configuration.configuration_path())
        return self.placed(context_named(known, name, "context"))

    def placed(self, context: Context, api_key: str | None = None, tenant: str | None = None) -> Place:
        """Where the console is in a context; an embedded store gets a server of its own."""
        if context.store is None:
            return context.place(api_key or context.api_key(), readonly=self._readonly, tenant=tenant)
        from flagconsole.cli.own_server import own_server

        server = self._stack.enter_context(own_server(context.store, context.environment))
        place = context.place(server.api_key, readonly=self._readonly, tenant=tenant)
        return place._replace(url=server.url, known_as=context.store)

    def keep(self, setting: str, value: str | bool) -> None:
        """Write one of the console's settings into the file."""
        configuration.change(
            configuration.configuration_path(),
            lambda document: document.setdefault("console", {}).__setitem__(setting, value),
        )


def _text(table: Mapping[str, Any], key: str, where: str) -> str | None:
    value = table.get(key)
    if value is None or (isinstance(value, str) and value):
        return value
    raise InvalidInput(field=f"{where}.{key}", problem="must be a string", value=safe_text(value, 100))


def _shown(key: str, value: Any) -> str:
    """A value in an error: not repeated where it may be a key."""
    return "…" if "key" in key.casefold() else safe_text(value, 100)
