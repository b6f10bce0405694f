"""Writes an incident's report to a file of its own: where the user is, else beside the console's logs. Nothing is ever
overwritten."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

#: As many reports of one incident as there may lie beside each other.
MOST: Final = 1000


def write_report(incident_id: str, text: str, fallback: Path | None) -> Path:
    """Write ``text`` to ``incident-ID.md`` in the working folder, or in ``fallback`` where that can't be written.

    Returns the file; raises ``OSError`` where neither works.
    """
    stem = "incident-" + re.sub(r"[^A-Za-z0-9._-]", "_", incident_id)[:80]
    try:
        return _write(Path.cwd(), stem, text)
    except OSError:
        if fallback is None:
            raise
        fallback.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _write(fallback, stem, text)


def _write(folder: Path, stem: str, text: str) -> Path:
    for number in range(1, MOST):
        path = folder / (f"{stem}.md" if number == 1 else f"{stem}-{number}.md")
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return path
    raise FileExistsError(f"there are {MOST} reports of it already")
