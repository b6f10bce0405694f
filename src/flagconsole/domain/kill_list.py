"""The local kill list: a file that kills flags in every SDK that watches it, whether or not there is a server.

JSON with ``format`` (1), ``kills`` and ``signature``: ``v1=`` and the hex HMAC-SHA256 of the canonical JSON of the rest. No
pydantic here, since services import this module.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

FORMAT: Final = 1
MOST_BYTES: Final = 1_000_000
#: A shorter key could be guessed.
LEAST_KEY: Final = 16
_FIELDS: Final = ("flag_name", "kill_reason", "killed_by", "killed_at")


class KillListError(ValueError):
    """A kill list that can't be used; the message says why."""


class LocalKill(NamedTuple):
    """One flag's kill; ``killed_at`` is ISO 8601."""

    flag_name: str
    kill_reason: str
    killed_by: str
    killed_at: str


def dump_kill_list(kills: Iterable[LocalKill], key: str | None) -> str:
    """The file's text, signed where there is a key. Raises ``KillListError`` for a key that is too short."""
    content = {"format": FORMAT, "kills": [kill._asdict() for kill in kills]}
    signed = content if key is None else {**content, "signature": _signature(content, key)}
    return json.dumps(signed, indent=2, ensure_ascii=False) + "\n"


def parse_kill_list(text: str | bytes, key: str | None) -> tuple[LocalKill, ...]:
    """The kills that a file names. With a key the file must be signed with it; without one no signature is looked at.

    Raises ``KillListError``; a list is taken whole or not at all.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise KillListError("it is not JSON") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("kills"), list):
        raise KillListError(f"it is not a kill list of format {FORMAT}")
    if key is not None:
        given = data.get("signature")
        content = {name: value for name, value in data.items() if name != "signature"}
        if not isinstance(given, str) or not hmac.compare_digest(given.encode(), _signature(content, key).encode()):
            raise KillListError("its signature is missing or wrong")
    return tuple(map(_kill, data["kills"]))


def _kill(item: Any) -> LocalKill:
    if not isinstance(item, dict) or not all(isinstance(item.get(name), str) for name in _FIELDS):
        raise KillListError(f"each kill needs {', '.join(_FIELDS)}")
    return LocalKill(*(item[name] for name in _FIELDS))


def _signature(content: dict[str, Any], key: str) -> str:
    if len(key) < LEAST_KEY:
        raise KillListError(f"its key must have at least {LEAST_KEY} characters")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "v1=" + hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
