"""Files that people write, read whole and replaced in one step."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from flagconsole.domain.errors import InvalidInput


def read_text(path: str, field: str = "FILE") -> str:
    """The text of a file, or of standard input for ``-``. Raises ``InvalidInput`` for the argument ``field``."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput(field=field, problem=f"can't be read ({error.strerror})", value=path) from None
    except UnicodeDecodeError as error:
        raise InvalidInput(field=field, problem=f"is not UTF-8 at byte {error.start}", value=path) from None


def source_of(path: str) -> str:
    """What errors call the file."""
    return "standard input" if path == "-" else path


def replace_text(path: str, text: str, field: str = "FILE") -> None:
    """Write the file in one step, so that a crash leaves the old or the new one, with the old one's mode. Raises ``InvalidInput``."""
    place = Path(path).resolve()  # a link to the file stays a link
    try:
        mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o666 & ~_umask()
        descriptor, temporary = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, place)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise InvalidInput(field=field, problem=f"can't be written ({error.strerror})", value=path) from None


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
