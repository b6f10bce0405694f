"""Every key of the console."""

from __future__ import annotations

from flagconsole.console.keymap import COMMANDS, CONTEXTS, Needs, key_name
from reference.page import code, page, sentence, table

ABOUT = """Every key of the console, by where it works. The id is what `[keys]` in the configuration gives other keys to
([settings](settings.md)); `?` shows the keys of the screen that is open. Upper case changes the world, lower case looks. A key
whose condition isn't met isn't there: footer and help leave it out."""
#: When a command exists, in words.
WHEN = {
    Needs.NOTHING: "",
    Needs.OPERATOR: "operators, live",
    Needs.ADMIN: "admins, live",
    Needs.OFFLINE: "without a connection",
    Needs.WARNED: "while there is a warning",
    Needs.ARM: "without a connection, or while a kill is armed",
    Needs.PAST: "while an earlier moment is shown",
}


def text() -> str:
    """The page."""
    parts = []
    for context in dict.fromkeys(command.context for command in COMMANDS):
        used = [screen for screen, contexts in CONTEXTS.items() if context in contexts and screen != context]
        rows = [
            (
                ", ".join(code(key_name(key)) for key in command.keys),
                code(command.id),
                sentence(command.help or command.label),
                WHEN[command.needs],
            )
            for command in COMMANDS
            if command.context == context
        ]
        where = f"On: {', '.join(used)}." if used else ""
        parts += [f"## {context}", where, table(("key", "id", "what it does", "when"), rows)]
    return page("Keys", ABOUT, *parts)
