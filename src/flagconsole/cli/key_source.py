"""Where a context's key is: in the keyring, behind a command, in an environment variable, or in a file of the user's own.

A key is fetched when it is needed, is never written anywhere, and is never part of an error.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any, Final, NamedTuple

from flagconsole.domain.errors import InvalidInput, Unauthenticated
from flagconsole.domain.text import safe_text

#: Seconds that a command gets; a password store may ask for a passphrase in a window of its own.
PATIENCE: Final = 30.0
KINDS: Final = ("keyring", "command", "variable", "file")


class KeySource(NamedTuple):
    """``kind`` is one of ``KINDS``; ``value`` the command's words, the variable's name or the file (empty for the keyring)."""

    kind: str
    value: tuple[str, ...] = ()

    def in_words(self) -> str:
        """Where the key is, for people."""
        match self.kind:
            case "keyring":
                return "the keyring"
            case "command":
                return f"the command {safe_text(shlex.join(self.value), 120)}"
            case "variable":
                return f"the variable {self.value[0]}"
            case _:
                return f"the file {safe_text(self.value[0], 200)}"

    def in_file(self) -> dict[str, Any]:
        """As it stands in the configuration."""
        match self.kind:
            case "keyring":
                return {"keyring": True}
            case "command":
                return {"command": list(self.value)}
            case _:
                return {self.kind: self.value[0]}

    def reference(self, url: str) -> str:
        """A word for a shell that gives the key without being it."""
        match self.kind:
            case "keyring":
                return f'"$(keyring get flagconsole {shlex.quote(url)})"'
            case "command":
                return f'"$({shlex.join(self.value)})"'
            case "variable":
                return f'"${self.value[0]}"'
            case _:
                path = self.value[0]
                home = path.startswith("~/")
                return f'"$(cat {"~/" + shlex.quote(path[2:]) if home else shlex.quote(path)})"'

    def fetch(self, context: str, url: str) -> str:
        """The key. Raises ``Unauthenticated`` that names the context and what to do."""
        match self.kind:
            case "keyring":
                from flagconsole.cli.credentials import read_from_keyring

                key = read_from_keyring(url) or ""
                problem = "the keyring has no key for this server, or doesn't answer"
            case "command":
                key, problem = _said_by(self.value)
            case "variable":
                key = os.environ.get(self.value[0], "")
                problem = f"{self.value[0]} isn't set"
            case _:
                key, problem = _read(Path(self.value[0]).expanduser())
        key = key.strip()
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            said = problem if not key else "what came isn't a key"
            raise Unauthenticated(f"The context {safe_text(context)} takes its key from {self.in_words()}: {said}.")
        return key


def parsed(value: Any, field: str) -> KeySource:
    """The source that the configuration names. Raises ``InvalidInput`` naming the field."""
    right = 'must be one of { keyring = true }, { command = ["pass", "show", "x"] }, { variable = "NAME" }, { file = "PATH" }'
    if not isinstance(value, dict) or len(value) != 1:
        # What stands there may be a key by mistake, so it isn't repeated.
        raise InvalidInput(field=field, problem=right, value="…")
    ((kind, given),) = value.items()
    match kind, given:
        case "keyring", True:
            return KeySource("keyring")
        case "command", [str(), *_] if all(isinstance(word, str) and word for word in given):
            return KeySource("command", tuple(given))
        case "variable", str() if given.isidentifier() and given.isascii():
            return KeySource("variable", (given,))
        case "file", str() if given:
            return KeySource("file", (given,))
    raise InvalidInput(field=f"{field}.{safe_text(kind, 40)}", problem=right, value="…")


def written(text: str) -> KeySource:
    """The source that a command line names: ``keyring``, ``variable:NAME``, ``file:PATH`` or ``command:WORDS``."""
    kind, _, rest = text.partition(":")
    right = "must be keyring, variable:NAME, file:PATH or command:WORDS"
    if kind not in KINDS or bool(rest) == (kind == "keyring"):
        raise InvalidInput(field="--key", problem=right, value="…")
    try:
        given: Any = True if kind == "keyring" else shlex.split(rest) if kind == "command" else rest
    except ValueError:
        raise InvalidInput(field="--key", problem=right, value="…") from None
    return parsed({kind: given}, "--key")


def _said_by(words: tuple[str, ...]) -> tuple[str, str]:
    try:
        done = subprocess.run(  # noqa: S603  # the user's own command, without a shell
            list(words), capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, ValueError) as error:
        return "", f"it can't be run ({getattr(error, 'strerror', None) or type(error).__name__})"
    except subprocess.TimeoutExpired:
        return "", f"it said nothing within {PATIENCE:.0f} s"
    if done.returncode:
        return "", f"it ended with {done.returncode}"
    return done.stdout.partition("\n")[0], "it said nothing"


def _read(path: Path) -> tuple[str, str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        return "", f"it can't be read ({error.strerror})"
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return "", "it is not a plain file"
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            return "", "others can read it: chmod 600"
        return os.read(descriptor, 4096).decode("utf-8", "replace").partition("\n")[0], "it is empty"
    finally:
        os.close(descriptor)
