"""Copying text out of the console: by the terminal (OSC 52), by tmux, or into a file that only its owner can read.

A terminal says nothing about whether it took an OSC 52 text, so the answer says how it was tried, and always names a file
where neither way can be expected to work.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from flagconsole.domain.text import safe_text

#: Terminals drop longer OSC 52 texts (xterm's limit for the encoded form is about 100,000 bytes).
MOST_OSC52: Final = 74_000
#: Seconds that tmux gets.
PATIENCE: Final = 2.0
#: Characters of one line of a copied text.
_LONGEST_LINE: Final = 1_000_000
_COPY_FILE: Final = "copied.txt"


class Copied(NamedTuple):
    """What became of a copy: ``words`` for the ledger, ``sequence`` to write to the terminal where that is the way."""

    words: str
    sequence: str = ""


def clean(text: str) -> str:
    """``text`` with its line breaks kept and every line made harmless: what is copied here is pasted into a shell there."""
    return "\n".join(safe_text(line, _LONGEST_LINE) for line in text.split("\n"))


def copy(text: str, folder: Path | None, environment: Mapping[str, str] = os.environ) -> Copied:
    """Copy ``text``. Inside tmux by its buffer, else by OSC 52; a long text, or where both fail, into ``folder``.

    May take ``PATIENCE`` seconds, so call it in a thread. Never raises.
    """
    shown = clean(text)
    size = f"{len(shown)} character{'s' if len(shown) != 1 else ''}"
    if environment.get("TMUX") and _into_tmux(shown):
        return Copied(f"copied {size} into tmux's buffer (prefix ]), and to the clipboard where tmux may")
    encoded = base64.b64encode(shown.encode("utf-8", "replace"))
    if len(encoded) <= MOST_OSC52 and not environment.get("TMUX") and environment.get("TERM") not in {"linux", "dumb"}:
        return Copied(f"copied {size} by the terminal, where it allows that", f"\x1b]52;c;{encoded.decode()}\x07")
    return Copied(_into_file(shown, folder, size))


def _into_tmux(text: str) -> bool:
    """Hand the text to tmux, which passes it on to the outer terminal (``-w``) where ``set-clipboard`` allows."""
    for arguments in (["load-buffer", "-w", "-"], ["load-buffer", "-"]):  # -w is of tmux 3.2
        try:
            done = subprocess.run(  # noqa: S603  # no shell; the text goes in on standard input
                ["tmux", *arguments],  # noqa: S607  # the user's own tmux
                input=text.encode("utf-8", "replace"),
                capture_output=True,
                timeout=PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode == 0:
            return True
    return False


def _into_file(text: str, folder: Path | None, size: str) -> str:
    if folder is None:
        return "not copied: there is no way to the clipboard here, and no folder to write to"
    path = folder / _COPY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text + "\n")
    except OSError as error:
        return f"not copied: {path} can't be written ({error.strerror})"
    return f"copied {size} into {path}"
