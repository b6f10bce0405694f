"""Where a key can be had, for whoever was refused for want of one. Says where it lies, never what it is."""

from __future__ import annotations

import shlex


def key_hint() -> str:
    """One line. A server on this machine keeps its user's key in a file beside the store."""
    from flagconsole.cli.target import resolve_store
    from flagconsole.domain.errors import FlagConsoleError
    from flagconsole.server.key_file import key_file_of

    try:
        path = key_file_of(resolve_store(None))
        there = path.exists()
    except (FlagConsoleError, OSError):
        there = False
    if there:
        return (
            f"for 'flagconsole serve' on this machine: export FLAGCONSOLE_API_KEY=\"$(cat {shlex.quote(str(path))})\""
        )
    return (
        "an admin makes keys: flagconsole keys create NAME --role ROLE; "
        "a server on this machine says at its start where its own is"
    )
