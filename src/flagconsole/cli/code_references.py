"""Where source code still names flags."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from flagconsole.domain.errors import InvalidInput

#: Folders that hold what others wrote, or what was made from the code.
_SKIPPED: Final = frozenset(
    {"node_modules", "__pycache__", "venv", "site-packages", "vendor", "target", "dist", "build"}
)
#: Larger files are no source code.
_MOST_BYTES: Final = 2_000_000


def code_references(path: str, names: Iterable[str]) -> dict[str, list[str]]:
    """For each name the places below ``path`` that hold it as a whole word, as ``file:line``, in order. Hidden folders,
    installed packages, binaries and very large files are left out. Raises ``InvalidInput`` where there is no such path."""
    root = Path(path)
    if not root.exists():
        raise InvalidInput(field="--code", problem="is no file or folder", value=path)
    found: dict[str, list[str]] = {name: [] for name in names}
    if not found:
        return found
    known = "|".join(re.escape(name) for name in sorted(found, key=len, reverse=True))
    word = re.compile(rf"(?<![\w.-])(?:{known})(?![\w-]|\.\w)")
    for file in _files(root):
        for number, line in enumerate(_lines(file), start=1):
            for name in dict.fromkeys(word.findall(line)):
                found[name].append(f"{file}:{number}")
    return found


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files))


def _lines(file: Path) -> list[str]:
    try:
        if not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return []
        data = file.read_bytes()
    except OSError:
        return []
    return [] if b"\0" in data[:4096] else data.decode("utf-8", "replace").splitlines()
