"""What is left of a crash: a report that only its owner can read, and words for whoever sat before the screen."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from flagconsole import __version__
from flagconsole.console.actions import Action
from flagconsole.console.progress import VERB, subject_of
from flagconsole.domain.text import safe_text


def write_crash_log(folder: Path, error: BaseException | None, secrets: tuple[str, ...] = ()) -> Path | None:
    """Write what happened, without local variables and secrets, to a file that only its owner can read.

    Returns the file, or None where it can't be written.
    """
    lines = "".join(traceback.format_exception(error)) if error is not None else "no exception is known\n"
    for secret in secrets:
        lines = lines.replace(secret, "(hidden)") if secret else lines
    text = "\n".join(safe_text(line, 2000) for line in lines.splitlines())
    path = folder / "crash.log"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            file.write(f"{moment} flagconsole {__version__} python {sys.version.split()[0]}\n{text}\n\n")
    except OSError:
        return None
    return path


def crash_words(error: BaseException | None, log: Path | None, unanswered: Sequence[Action]) -> str:
    """What is shown after a crash: what happened, what became of actions that were sent, where the report is."""
    kind = type(error).__name__ if error is not None else "of an unknown kind"
    if unanswered:
        names = ", ".join(f"{VERB[action.kind]} {safe_text(subject_of(action), 80)}" for action in unanswered)
        sent = (
            f"Without an answer yet: {names}. The next start asks the server what became of it; nothing is sent again."
        )
    else:
        sent = "Nothing that you sent is without an answer, and nothing more was sent."
    where = (
        f"is in {log}: please send it to whoever looks after flagconsole" if log is not None else "couldn't be written"
    )
    return (
        f"flagconsole crashed: an error inside it ({kind}), not in your flags. Your terminal is as it was before.\n"
        f"{sent}\n"
        f"The report {where}. Start it again, or use the command line: flagconsole status"
    )
