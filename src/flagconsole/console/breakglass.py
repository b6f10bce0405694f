"""Break-glass: the command line and the curl that kill a flag from anywhere that reaches the server.

The key is never in them, only where it is found. A name that can't be written into a shell without doubt gets no command.
"""

from __future__ import annotations

import json
import shlex
from typing import Final
from urllib.parse import quote

from flagconsole.console.place import Place
from flagconsole.domain.text import is_hostile

#: Where a key is looked for that has no place of its own: the user exports it.
DEFAULT_REFERENCE: Final = '"$FLAGCONSOLE_API_KEY"'
DEFAULT_REASON: Final = "break-glass kill, console offline"

_CONTINUED: Final = " \\\n    "


def command_line(place: Place, flag_name: str, reason: str) -> str:
    """The command that kills the flag and waits for the proof; empty where the name can't be trusted in a shell."""
    if _untrusted(flag_name, reason, place.url, place.known_as):
        return ""
    words = ["flagconsole kill", shlex.quote(flag_name), shlex.quote(reason)]
    if place.context:
        return " ".join([*words, "--context", shlex.quote(place.context)])
    if place.known_as:
        return " ".join(words) + _CONTINUED + f"--store {shlex.quote(place.known_as)}"
    key = f"FLAGCONSOLE_API_KEY={place.key_reference} " if place.key_reference else ""
    return key + " ".join(words) + _CONTINUED + f"--url {shlex.quote(place.url)}"


def curl(place: Place, flag_name: str, reason: str) -> str:
    """The same with curl. The key goes in on standard input, where no other user of the machine can read it."""
    if place.known_as or _untrusted(flag_name, reason, place.url):
        return ""
    body = json.dumps({"kill_reason": reason})
    address = f"{place.url}/api/flags/{quote(flag_name, safe='')}/kill"
    return _CONTINUED.join(
        (
            f"printf 'Authorization: Bearer %s' {place.key_reference or DEFAULT_REFERENCE}",
            "| curl -fsS -X POST -H @- -H 'Content-Type: application/json'",
            f"-d {shlex.quote(body)}",
            shlex.quote(address),
        )
    )


def _untrusted(*texts: str) -> bool:
    return any(is_hostile(text) for text in texts)
