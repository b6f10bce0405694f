"""Where a key can be had, for whoever was refused for want of one. Says where it lies, never what it is."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from flagconsole.cli.invocation import Invocation


def key_hint(asked: Invocation) -> str:
    """One line: which key was sent, or where one is. A server on this machine keeps its user's key in a file beside the store."""
    from flagconsole.cli.target import resolve, resolve_store
    from flagconsole.domain.errors import FlagConsoleError
    from flagconsole.server.key_file import key_file_of

    try:
        target = resolve(asked)
        if target.given_key:
            return f"the key that was sent to {target.url} is the one of {'--api-key' if asked.api_key else 'FLAGCONSOLE_API_KEY'}"
        host = urlsplit(target.url or "").hostname or ""
        here = host in ("", "localhost", "::1") or host.startswith("127.")
        path = key_file_of(resolve_store(None))
        there = here and path.exists()
    except (FlagConsoleError, OSError):
        there = False
    if there:
        return f"if it is 'flagconsole serve' on {resolve_store(None)} of this machine: export FLAGCONSOLE_API_KEY=\"$(cat {shlex.quote(str(path))})\""
    return (
        "a server on this machine says at its start where its own key is; "
        "for others an admin makes keys: flagconsole keys create NAME --role ROLE"
    )
