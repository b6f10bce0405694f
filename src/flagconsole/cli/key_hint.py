"""Where a key can be had, for whoever was refused for want of one. Says where it lies, never what it is."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flagconsole.cli.configuration import KEYRING
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.invocation import Invocation
    from flagconsole.cli.target import Target


def key_hint(asked: Invocation) -> str:
    """One line: which key was sent, or where one is. A server on this machine keeps its user's key in a file beside the store."""
    from flagconsole.cli.target import resolve, resolve_store
    from flagconsole.domain.errors import FlagConsoleError
    from flagconsole.server.key_file import key_file_of

    try:
        target = resolve(asked)
        if target.given_key:
            return f"the key that was sent to {target.url} is the one of {'--api-key' if asked.api_key else 'FLAGCONSOLE_API_KEY'}"
        if sent := _configured(target):
            return f"the key that was sent to {target.url} is the one {sent}"
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


def _configured(target: Target) -> str:
    """Where a key that was sent without being given is from; empty where none is configured for the server."""
    from flagconsole.cli.configuration import configuration_path

    if target.context is not None:
        return f"of the context {safe_text(target.context.name, 60)}"
    known = target.configured
    if target.url is None or known.api_key_url not in {None, target.url}:
        return ""
    if known.api_key_in == KEYRING:
        return "in the keyring"
    return f"in {configuration_path()} (flagconsole config set-api-key -)" if known.api_key else ""
