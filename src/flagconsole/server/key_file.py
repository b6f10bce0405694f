"""The admin key that an embedded store on loopback makes for its own user."""

from __future__ import annotations

import asyncio
import fcntl
import getpass
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from flagconsole.domain.errors import Unauthenticated
from flagconsole.domain.requests import KeyCreate
from flagconsole.domain.role import Role
from flagconsole.operations.keys import authenticate
from flagconsole.operations.service import SYSTEM, Operations


def key_file_of(store_path: str) -> Path:
    """Where the key of the embedded store at ``store_path`` lies."""
    return Path(f"{store_path}.admin-key")


async def ensure_admin_key(operations: Operations, path: Path) -> str:
    """The admin key in ``path`` (0600), made anew where it is missing or no longer valid.

    Servers that start at once take turns, or each would revoke the key that another has just made and handed out.
    """
    async with _alone_in(path.parent):
        return await _ensure(operations, path)


async def _ensure(operations: Operations, path: Path) -> str:
    with suppress(OSError, Unauthenticated):
        secret = _read(path)
        async with operations.store.read() as reader:
            await authenticate(reader, secret)
        return secret
    for key in (await operations.keys(SYSTEM)).keys:
        if key.name == _own_name() and key.revoked_at is None:
            await operations.revoke_key(SYSTEM, key.key_id)
    made = await operations.create_key(SYSTEM, KeyCreate(name=_own_name(), role=Role.ADMIN))
    _write_private(path, made.secret)
    return made.secret


@asynccontextmanager
async def _alone_in(folder: Path) -> AsyncIterator[None]:
    """Hold the folder's lock while the block runs; it ends with the process, so nobody has to clean up."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(path: Path) -> str:
    return path.read_text().strip()


def _own_name() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{platform.node() or 'localhost'}"


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
    temporary.replace(path)
