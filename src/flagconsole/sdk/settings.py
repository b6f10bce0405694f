"""What a client was told when it was made."""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
from typing import Final, Literal, NamedTuple

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

    def __repr__(self) -> str:
        # Whoever reports crashes with the values of variables reports no keys.
        shown = self._replace(api_key="…", kill_list_key=None if self.kill_list_key is None else "…")
        return f"Settings{tuple(shown)!r}"


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


def checked_settings(
    url: str,
    api_key: str,
    instance: str | None,
    *,
    service: str | None,
    cache_dir: str | os.PathLike[str] | Literal[False] | None,
    poll_seconds: float,
    stream: bool,
    max_age: float | None,
    bucket_seconds: int,
    kill_list: str | os.PathLike[str] | None,
    kill_list_key: str | None,
) -> Settings:
    """The settings of a client from its arguments. Raises ``TypeError`` or ``ValueError`` naming the one that is wrong."""
    for name, value in (("url", url), ("api_key", api_key)):
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a string, not {type(value).__name__}")
        if not value.strip():
            raise ValueError(f"{name} must not be empty")
    for name, seconds in (("poll_seconds", poll_seconds), ("max_age", max_age)):
        if seconds is not None and not seconds > 0:
            raise ValueError(f"{name} must be more than 0 seconds (got {seconds!r})")
    from flagconsole.sdk.usage import BUCKET_WIDTHS

    if bucket_seconds not in BUCKET_WIDTHS:
        raise ValueError(f"bucket_seconds must be one of {BUCKET_WIDTHS} (got {bucket_seconds!r})")
    return Settings(
        url.strip(),
        api_key.strip(),
        instance_id(instance) if instance else default_instance(),
        service_name(service),
        "" if cache_dir is False else os.fspath(cache_dir) if cache_dir is not None else default_cache_dir(),
        poll_seconds,
        stream,
        max_age,
        bucket_seconds,
        os.fspath(kill_list) if kill_list is not None else os.environ.get("FLAGCONSOLE_KILL_LIST", ""),
        kill_list_key or os.environ.get("FLAGCONSOLE_KILL_LIST_KEY") or None,
    )
