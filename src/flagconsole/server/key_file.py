"""The admin key that a server on loopback makes for its own user."""

from __future__ import annotations

import asyncio
import fcntl
import getpass
import hashlib
import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import platformdirs

from flagconsole.domain.errors import Unauthenticated
from flagconsole.domain.requests import KeyCreate, KeyRotate
from flagconsole.domain.role import ApiKey, Role
from flagconsole.domain.store_environment import FIRST
from flagconsole.operations.keys import authenticate
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.store.opening import is_postgres, sqlite_path
from flagconsole.store.partition import file_of


def key_file_of(store_url: str, partition: str = FIRST) -> Path:
    """Where the key of an environment lies: beside an embedded store's file, for a database in the user's data folder. Raises
    ``InvalidInput`` for a URL of neither."""
    if not is_postgres(store_url):
        return Path(f"{file_of(sqlite_path(store_url), partition)}.admin-key")
    from flagconsole.store.postgres_address import Address

    place = hashlib.sha256(Address(store_url).place.encode()).hexdigest()[:16]
    name = f"{place}.{partition}" if partition else place
    return Path(platformdirs.user_data_dir("flagconsole")) / f"postgresql-{name}.admin-key"


async def ensure_admin_key(operations: Operations, path: Path) -> str:
    """The admin key in ``path`` (0600), made anew where it is missing or no longer valid.

    Servers that start at once take turns, or each would revoke the key that another has just made and handed out.
    """
    async with _alone_in(path.parent):
        secret = await _kept(operations, path)
        if secret is None:
            secret = await _make(operations, path, instead_of=await _own_key(operations))
        return secret


async def ensure_first_admin_key(operations: Operations, path: Path) -> bool:
    """Make the admin key in ``path`` where the store has no admin's key at all, and say whether that was so. A database is
    shared: other machines' keys are none of this one's business, and a server that starts again mustn't leave one each time."""
    async with _alone_in(path.parent):
        keys = (await operations.keys(SYSTEM)).keys
        if any(key.role is Role.ADMIN and key.tenant_id is None and key.revoked_at is None for key in keys):
            return False
        await _make(operations, path)
        return True


async def _kept(operations: Operations, path: Path) -> str | None:
    """The key in the file, if it still works."""
    with suppress(OSError, Unauthenticated):
        secret = _read(path)
        async with operations.store.read() as reader:
            await authenticate(reader, secret)
        return secret
    return None


async def _own_key(operations: Operations) -> ApiKey | None:
    """The key of this user and machine that is valid but isn't in the file any more."""
    keys = await operations.keys(SYSTEM)
    async with operations.store.read() as reader:
        now = await reader.now()
    mine = (key for key in keys.keys if key.name == _own_name() and key.replaced_by is None and key.is_valid_at(now))
    return next(mine, None)


async def _make(operations: Operations, path: Path, instead_of: ApiKey | None = None) -> str:
    if instead_of is not None and instead_of.role is Role.ADMIN and instead_of.tenant_id is None:
        made = await operations.rotate_key(SYSTEM, instead_of.key_id, KeyRotate(overlap_seconds=0))
    else:
        if instead_of is not None:
            await operations.revoke_key(SYSTEM, instead_of.key_id)
        made = await operations.create_key(SYSTEM, KeyCreate(name=_own_name(), role=Role.ADMIN))
    _write_private(path, made.secret)
    return made.secret


@asynccontextmanager
async def _alone_in(folder: Path) -> AsyncIterator[None]:
    """Hold the folder's lock while the block runs; it ends with the process, so nobody has to clean up."""
    descriptor = _opened(folder)
    try:
        await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _opened(folder: Path) -> int:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(folder, os.O_RDONLY)


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
