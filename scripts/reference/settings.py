"""The configuration file, and the environment."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Final

import flagconsole
from flagconsole.cli.configuration import Configuration
from flagconsole.cli.contexts import _KEYS as OF_CONTEXT
from flagconsole.cli.manners_file import _SWITCHES as SWITCHES
from flagconsole.console.manners import Manners
from flagconsole.server.bounds import LIMITS, default_of
from reference.page import code, page, table

ABOUT = """What is configured, in the order in which it counts: an option of the command, the environment, the configuration file. The
file is `config.toml` in your configuration folder (on Linux `~/.config/flagconsole`); `flagconsole config` and `flagconsole contexts`
write it, and keep comments. It is its owner's alone, since it may hold a key. A setting that isn't known, or isn't of its type, is
refused with its name."""

#: Each variable of the environment.
VARIABLES: Final = {
    "FLAGCONSOLE_URL": "the server to work on",
    "FLAGCONSOLE_STORE": "the store to work on, without a server; for `serve` the one to serve",
    "FLAGCONSOLE_CONTEXT": "the context of the configuration to work in",
    "FLAGCONSOLE_API_KEY": "the key for the server",
    "FLAGCONSOLE_TENANT": "the tenant that is meant",
    "FLAGCONSOLE_CONFIG": "the configuration file, instead of the usual one",
    "FLAGCONSOLE_DEBUG": "set: an internal error shows where it happened",
    "FLAGCONSOLE_LISTEN_URL": "`serve`: a direct way to the database where the store's leads through a pooler",
    "FLAGCONSOLE_PROMETHEUS": "`serve`: where plans with queries of their own have them asked",
    "FLAGCONSOLE_ANCHOR_KEY": "`serve`, `audit anchor` and `audit verify`: the key that anchors are signed with",
    "FLAGCONSOLE_KILL_LIST": "SDK: a file that is watched, and whose flags are killed whatever the server says",
    "FLAGCONSOLE_KILL_LIST_KEY": "SDK and `kill --file`: the key that such a file is signed with",
}
#: Each key at the top of the file.
TOP: Final = {
    "url": "the server to work on",
    "store": "the store to work on, without a server",
    "tenant": "the tenant that is meant",
    "api_key": "the key for the server, where no keyring keeps it",
    "api_key_in": "`keyring`: the key is in the operating system's keyring",
    "api_key_url": "the server that the key is for; it is sent to no other",
    "context": "the context that counts where nothing else is asked for",
}
#: Each key of a context.
OF_CONTEXTS: Final = {
    "url": "its server",
    "store": "its store, instead of a server",
    "environment": "what the console's bar shows, where it isn't what the server says",
    "colour": "of the bar: `red`, `amber` or `grey`",
    "readonly": "the console changes nothing here",
    "tenant": "the tenant that is meant",
    "key": "where its key is: [`flagconsole contexts`](commands.md) writes it",
}
#: Each switch of the console.
OF_CONSOLE: Final = {
    "theme": "the [theme](themes.md)",
    "mouse": "use the mouse",
    "ascii": "draw with ASCII",
    "slow_link": "send the terminal as little as possible",
    "bell": "ring when something needs attention",
    "notes": "have the terminal show notices of its own (OSC 9)",
}


def text() -> str:
    """The page. Raises ``LookupError`` where the code knows a setting that isn't told here, or the other way round."""
    _same("variables", VARIABLES, _variables())
    _same("settings", TOP, {item.name for item in fields(Configuration)} - {"tables"})
    _same("contexts", OF_CONTEXTS, set(OF_CONTEXT))
    _same("switches", OF_CONSOLE, {*SWITCHES, "theme"})
    defaults = Manners()
    switches = [
        (code(name), _default(getattr(defaults, SWITCHES.get(name, name))), meaning)
        for name, meaning in OF_CONSOLE.items()
    ]
    limits = [(code(name), code(f"{default_of(name):g}"), limit.meaning) for name, limit in LIMITS.items()]
    return page(
        "Settings",
        ABOUT,
        "## The environment",
        table(("variable", "meaning"), [(code(name), meaning) for name, meaning in VARIABLES.items()]),
        "Also `NO_COLOR` (set: no colours), and what PostgreSQL's library reads, such as `PGPASSWORD`.",
        "## The file",
        table(("key", "meaning"), [(code(name), meaning) for name, meaning in TOP.items()]),
        "### `[contexts.NAME]`",
        "A server or a store by a name. [How they are made and chosen](../cli.md).",
        table(("key", "meaning"), [(code(name), meaning) for name, meaning in OF_CONTEXTS.items()]),
        "### `[console]`",
        table(("key", "default", "meaning"), switches),
        "### `[keys]`",
        'Other keys for the console\'s commands, by the ids of [the page of keys](keys.md): `kill = "K"`, `detail = ["d", "enter"]`.',
        "## What clients may ask of a server",
        "`serve --limit NAME=VALUE`, as often as there is something to set: `serve --limit rate=20000 --limit burst=40000`. Each server "
        "counts for itself. [What happens beyond them](../api.md#limits).",
        table(("limit", "default", "bounds"), limits),
    )


def _default(value: object) -> str:
    return "as the terminal is" if value is None else code(str(value).lower())


def _variables() -> set[str]:
    """The variables that the code names; those that it puts together are those of connections."""
    source = Path(flagconsole.__file__).parent
    found = {
        name for file in source.rglob("*.py") for name in re.findall(r"FLAGCONSOLE_[A-Z_]+[A-Z]", file.read_text())
    }
    return found | {f"FLAGCONSOLE_{name}" for name in ("URL", "STORE", "API_KEY", "TENANT", "CONTEXT")}


def _same(what: str, told: dict[str, str], there: set[str]) -> None:
    if set(told) != there:
        raise LookupError(f"{what}: not told {sorted(there - set(told))}, not there {sorted(set(told) - there)}")
