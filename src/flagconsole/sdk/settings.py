"""What a client was told when it was made."""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
from typing import Final, NamedTuple

from flagconsole import __version__

SDK_VERSION: Final = f"python-{__version__}"
_NOT_IN_ID = re.compile(r"[^A-Za-z0-9._:@+~-]")


class Settings(NamedTuple):
    """A client's settings; durations in seconds. ``cache_dir`` is empty where nothing is kept on disk, ``kill_list`` where no
    file is watched."""

    url: str
    api_key: str
    instance: str
    service: str
    cache_dir: str
    poll_seconds: float
    stream: bool
    max_age: float | None
    bucket_seconds: int = 30
    kill_list: str = ""
    kill_list_key: str | None = None


def default_instance() -> str:
    """A name for this process that no other has: host, process id, and something random."""
    return instance_id(f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}")


def forked_instance(parent: str) -> str:
    """A name for the forked child of ``parent``."""
    return instance_id(f"{parent[:80]}-{os.getpid()}-{secrets.token_hex(3)}")


def instance_id(text: str) -> str:
    """``text`` as it may stand in a path of the API; what may not becomes ``-``."""
    clean = _NOT_IN_ID.sub("-", text)[:128]
    return clean if clean.strip(".") else f"instance-{clean}"


def service_name(text: str | None) -> str:
    """``text``, or the program's own name, in printable ASCII."""
    if not text:
        text = os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0] or "python"
    return "".join(char if " " <= char <= "~" else "_" for char in text)[:100].strip() or "unknown"


def default_cache_dir() -> str:
    """Where snapshots are kept unless the client was told."""
    import platformdirs

    return str(platformdirs.user_cache_path("flagconsole") / "sdk")
