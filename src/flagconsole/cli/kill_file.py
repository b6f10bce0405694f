"""Writing the local kill list: the kill that works when the control plane is gone."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagconsole.cli.output import print_json, say, talk
from flagconsole.domain.errors import FlagNotKilled, InvalidInput
from flagconsole.domain.kill_list import KillListError, LocalKill, dump_kill_list, parse_kill_list
from flagconsole.domain.names import is_flag_name
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.invocation import Invocation

#: The variable with the key that lists are signed with.
KEY_VARIABLE: Final = "FLAGCONSOLE_KILL_LIST_KEY"
_READABLE_BY_SERVICES: Final = 0o644


def kill_in_file(invocation: Invocation, path: str, flag: str, reason: str) -> None:
    """Add the flag to the list at ``path``. Asks no server and no store, which may be gone."""
    from flagconsole.cli.embedded import local_actor

    if not is_flag_name(flag):
        raise InvalidInput(field="FLAG", problem="must be like domain.feature", value=flag)
    added = LocalKill(flag, reason, local_actor().name, datetime.now(UTC).isoformat())

    def change(kills: tuple[LocalKill, ...]) -> tuple[LocalKill, ...]:
        return (*(kill for kill in kills if kill.flag_name != flag), added)

    _rewrite(invocation, path, flag, change, "killed in")


def revive_in_file(invocation: Invocation, path: str, flag: str) -> None:
    """Take the flag off the list at ``path``. The server's state decides again. Raises ``FlagNotKilled``."""

    def change(kills: tuple[LocalKill, ...]) -> tuple[LocalKill, ...]:
        kept = tuple(kill for kill in kills if kill.flag_name != flag)
        if len(kept) == len(kills):
            raise FlagNotKilled(f"{path} doesn't name it.", flag=flag, state="not on the list")
        return kept

    _rewrite(invocation, path, flag, change, "taken off")


def _rewrite(
    invocation: Invocation,
    path: str,
    flag: str,
    change: Callable[[tuple[LocalKill, ...]], tuple[LocalKill, ...]],
    did: str,
) -> None:
    key = os.environ.get(KEY_VARIABLE) or None
    try:
        kills = change(_present(path, key))
        text = dump_kill_list(kills, key)
        if not invocation.dry_run:
            _replace(Path(path), text)
    except KillListError as error:
        raise InvalidInput(field="--file", problem=f"can't be used: {error}", value=path) from None
    except OSError as error:
        raise InvalidInput(field="--file", problem=f"can't be written ({error.strerror})", value=path) from None
    if invocation.as_json:
        print_json({"file": path, "dry_run": invocation.dry_run, "killed": [kill._asdict() for kill in kills]})
        return
    would = "would be " if invocation.dry_run else ""
    say(f"{safe_text(flag, 140)}: {would}{did} {safe_text(path, 300)}; services that watch it obey within a second")
    talk("No server was told, and nobody confirms it: look at what the services do.")
    if key is None:
        talk(f"The list isn't signed: set {KEY_VARIABLE} to the key that the services know, if they demand one.")


def _present(path: str, key: str | None) -> tuple[LocalKill, ...]:
    """The kills in the file now; none where there is no file."""
    try:
        return parse_kill_list(Path(path).read_bytes(), key)
    except FileNotFoundError:
        return ()


def _replace(path: Path, text: str) -> None:
    """Put ``text`` in the place of the file at once, so that no service reads half of it."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else _READABLE_BY_SERVICES
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
