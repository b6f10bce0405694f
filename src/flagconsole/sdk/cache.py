"""The last good snapshot on disk, from which a process starts when the server is away.

Two files for each server and key, shared by all processes of a host that use them:

``….snapshot`` holds a whole ruleset with its checksum. It is replaced atomically (new file, fsync, rename), at most once a
second, never by an older one.

``….position`` holds the highest position that any of them has confirmed to the server. It is written *before* the receipt
leaves (one small ``pwrite`` under a lock, tens of microseconds; no fsync, so it survives the death of the process, and a
power cut up to what the kernel had written). A process that starts and finds its snapshot behind this position doesn't
serve it: that would be going back behind a receipt. It then has no data until the server answers.

Nothing here raises: a disk that can't be used is a ``problem``, and a file that is damaged, foreign or cut is not read.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import stat
import time
from typing import Final, NamedTuple

from flagconsole.client.position import Position, parse_position, position_text
from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.payload import PayloadError, dump_snapshot, parse_snapshot
from flagconsole.domain.text import safe_text

_MAGIC: Final = "flagconsole-cache-1"
_MAX_SNAPSHOT: Final = 64 * 1024 * 1024
_MAX_HEADER: Final = 256
_POSITION_SIZE: Final = 128
_LOCK_SECONDS: Final = 0.3


class Kept(NamedTuple):
    """What was found on disk: the ruleset if it may be served, its age in seconds, and the position never to go below."""

    ruleset: Ruleset | None
    confirmed_seconds_ago: float
    floor: Position | None


class DiskCache:
    """The cache of one server and key in ``folder``, which is made when it is missing."""

    def __init__(self, folder: str, url: str, api_key: str) -> None:
        name = hashlib.sha256(f"{url.rstrip('/')}\0{api_key}".encode("utf-8", "replace")).hexdigest()[:32]
        self._folder = folder
        self._snapshot = os.path.join(folder, f"{name}.snapshot")
        self._position = os.path.join(folder, f"{name}.position")
        self._position_file: int | None = None
        #: What lies there is damaged, so what it says of its own position keeps nobody from replacing it.
        self._distrusted = False
        #: What went wrong last and has not been mended since, safe to show.
        self.problem: str | None = None

    def load(self) -> Kept:
        """What an earlier process left."""
        try:
            os.makedirs(self._folder, 0o700, exist_ok=True)
            floor = self._read_floor()
            ruleset, age = self._read_snapshot()
        except (OSError, PayloadError, ValueError) as error:
            self._report("not read", error)
            self._distrusted = True
            floor, ruleset, age = self._floor_if_readable(), None, 0.0
        if ruleset is None:
            return Kept(None, 0.0, floor)
        held = (ruleset.epoch, ruleset.revision)
        if floor is not None and held < floor:
            self.problem = f"the cached revision {held[1]} is older than {floor[1]}, which this host has confirmed"
            return Kept(None, 0.0, floor)
        return Kept(ruleset, age, held)

    def note(self, position: Position) -> bool:
        """Write down, before it is confirmed to the server, that ``position`` was reached.

        Returns whether it could be tried; ``False`` means that another process is writing at this very moment.
        """
        try:
            file = self._open_position()
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            try:
                self._raise_floor(file, position)
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)
        except (OSError, ValueError) as error:
            self._report("the position can't be kept", error)
        return True

    def save(self, ruleset: Ruleset) -> bool:
        """Keep ``ruleset`` unless a newer one is kept already. Returns whether one at least as new is safely on disk."""
        draft = f"{self._snapshot}.{os.getpid()}-{secrets.token_hex(4)}"
        try:
            body = dump_snapshot(ruleset).encode("utf-8")
            header = f"{_MAGIC} {hashlib.sha256(body).hexdigest()} {_spelled((ruleset.epoch, ruleset.revision))}\n"
            os.makedirs(self._folder, 0o700, exist_ok=True)
            _write_synced(draft, header.encode() + body)
            self._put_in_place(draft, (ruleset.epoch, ruleset.revision))
            _sync_folder(self._folder)
        except (OSError, ValueError) as error:
            self._report("not written", error)
            with contextlib.suppress(OSError):
                os.unlink(draft)
            return False
        self.problem = None
        return True

    def confirm(self) -> None:
        """The snapshot is still the newest: its modification time is when that was last known."""
        with contextlib.suppress(OSError):
            os.utime(self._snapshot)

    def close(self) -> None:
        """Close what is open."""
        file, self._position_file = self._position_file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)

    def _read_snapshot(self) -> tuple[Ruleset | None, float]:
        try:
            file = os.open(self._snapshot, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None, 0.0
        with os.fdopen(file, "rb") as stream:
            found = os.fstat(stream.fileno())
            _refuse_foreign(found)
            if found.st_size > _MAX_SNAPSHOT:
                raise ValueError("it is too large")
            header = stream.readline(_MAX_HEADER).split()
            body = stream.read(_MAX_SNAPSHOT)
        if len(header) != 3 or header[0] != _MAGIC.encode():
            raise ValueError("it is not a cache of this version")
        if hashlib.sha256(body).hexdigest().encode() != header[1]:
            raise ValueError("its checksum is wrong")
        ruleset = parse_snapshot(body)
        if parse_position(header[2].decode("utf-8")) != (ruleset.epoch, ruleset.revision):
            raise ValueError("its heading names another position")
        return ruleset, max(0.0, time.time() - found.st_mtime)

    def _put_in_place(self, draft: str, position: Position) -> None:
        # A lock of its own: one taken through the file that ``note`` uses would be undone by ``note``.
        lock = os.open(self._position, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            _lock_soon(lock)
            kept = None if self._distrusted else self._kept_position()
            if kept is not None and kept > position:
                os.unlink(draft)
            else:
                os.replace(draft, self._snapshot)
                self._distrusted = False
        finally:
            os.close(lock)

    def _kept_position(self) -> Position | None:
        try:
            with open(self._snapshot, "rb") as stream:
                header = stream.readline(_MAX_HEADER).decode("utf-8").split()
            return parse_position(header[2]) if header[0] == _MAGIC else None
        except (OSError, ValueError, IndexError):
            return None

    def _open_position(self) -> int:
        """The position file, opened once, or again when somebody took it away."""
        if self._position_file is not None:
            if os.fstat(self._position_file).st_nlink:
                return self._position_file
            self.close()
        os.makedirs(self._folder, 0o700, exist_ok=True)
        file = os.open(self._position, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._position_file = file
        _refuse_foreign(os.fstat(file))
        return file

    def _raise_floor(self, file: int, position: Position) -> None:
        try:
            kept = _parse_floor(os.pread(file, _POSITION_SIZE, 0))
        except ValueError:
            kept = None
        if kept is None or kept < position:
            os.pwrite(file, _floor_line(position), 0)

    def _read_floor(self) -> Position | None:
        try:
            file = os.open(self._position, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            _refuse_foreign(os.fstat(file))
            return _parse_floor(os.pread(file, _POSITION_SIZE, 0))
        finally:
            os.close(file)

    def _floor_if_readable(self) -> Position | None:
        try:
            return self._read_floor()
        except (OSError, ValueError):
            return None

    def _report(self, what: str, error: Exception) -> None:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.problem = safe_text(f"{what}: {said}", 200)


def _lock_soon(file: int) -> None:
    """Lock, but never wait for long for a process that was stopped while it held the lock. Raises ``OSError``."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.002)
        else:
            return


def _spelled(position: Position) -> str:
    text = position_text(position)
    if text is None:
        raise ValueError("an epoch like this can't be kept")
    return text


def _floor_line(position: Position) -> bytes:
    text = _spelled(position)
    line = f"{text} {hashlib.sha256(text.encode()).hexdigest()[:16]}".encode()
    return line.ljust(_POSITION_SIZE - 1) + b"\n"


def _parse_floor(line: bytes) -> Position | None:
    """The position in a line; ``None`` for an empty file. Raises ``ValueError`` for a damaged one."""
    if not line:
        return None
    text, _, checksum = line.decode("utf-8").strip().partition(" ")
    if hashlib.sha256(text.encode()).hexdigest()[:16] != checksum:
        raise ValueError("the kept position is damaged")
    return parse_position(text)


def _refuse_foreign(found: os.stat_result) -> None:
    """Rules decide what runs: a file that somebody else owns or may write to is not believed."""
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is not a plain file")
    if found.st_uid not in (os.getuid(), 0) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError("others may write to it")


def _write_synced(path: str, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: str) -> None:
    try:
        file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)
