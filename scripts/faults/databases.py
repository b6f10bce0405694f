"""What can happen to a database: it restarts, fails over, is full, or is locked by somebody."""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import sys
import threading
import time
from contextlib import closing, suppress

import httpx
import psycopg
from tests.server_process import ServerProcess, eventually

from faults.findings import findings
from faults.traffic import Traffic
from faults.world import FILLER, World, ready, world


def restart(store: str, trials: int, seed: int) -> dict[str, object]:
    """PostgreSQL stops as in a crash and starts again, in the middle of writes of two servers."""
    dice = random.Random(seed)
    with world(store) as here:
        assert here.cluster is not None
        for _ in range(2):
            here.start()
        traffic = Traffic(here.urls, here.key, seed)
        traffic.start()
        back = []
        for _ in range(trials):
            traffic.wait_for(dice.randrange(5, 40))
            here.cluster.stop("immediate")
            here.cluster.start()
            began = time.monotonic()
            traffic.wait_for(1)
            back.append(time.monotonic() - began)
        traffic.stop()
        here.in_service()
        traffic.settle()
        return {
            **findings(here.store_url, traffic),
            "service_back_after_s": round(max(back), 2),
            "kept": max(back) <= 10,
        }


def failover(store: str, trials: int, seed: int) -> dict[str, object]:
    """The primary is lost and its synchronous standby promoted, in the middle of writes of two servers that know both addresses.
    Each time a new standby is made."""
    dice = random.Random(seed)
    with world(store) as here:
        primary = here.cluster
        assert primary is not None
        place = primary.place
        here.store_url = f"postgresql:///chaos?host={place.home},{place.home}&port=5432,5433&user=flagconsole"
        standby = _synchronous(primary, "standby-0", 5433)
        try:
            with ServerProcess(standby.url("chaos")) as refused:
                refused_standby = refused.process.wait(60) == 6
            for _ in range(2):
                here.start()
            traffic = Traffic(here.urls, here.key, seed)
            traffic.start()
            back = []
            for trial in range(trials):
                traffic.wait_for(dice.randrange(5, 40))
                primary.stop("immediate")
                began = time.monotonic()
                standby.promote()
                _set(standby, "")  # or it would wait for a standby that it doesn't have yet
                traffic.wait_for(1)
                back.append(time.monotonic() - began)
                primary, standby = standby, _synchronous(standby, f"standby-{trial + 1}", primary.port)
            traffic.wait_for(5)
            traffic.stop()
            here.in_service()
            traffic.settle()
            return {
                **findings(here.store_url, traffic),
                "programs": str(place.programs),
                "service_back_after_s": round(max(back), 2),
                "standby_refused": refused_standby,
                "kept": max(back) <= 10 and refused_standby,
            }
        finally:
            here.end()
            standby.stop()
            primary.stop()


def _synchronous(primary, name, port):
    """A standby that has every change before it is acknowledged."""
    standby = primary.standby(name, port)
    _set(primary, "*")

    def follows() -> bool:
        with psycopg.connect(primary.url()) as connection:
            rows = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
            return ("sync",) in rows

    eventually(follows, 60)
    return standby


def _set(cluster, names: str) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        connection.execute("SELECT pg_reload_conf()")


def full(store: str, trials: int, seed: int) -> dict[str, object]:
    """The embedded store's disk is full: its server runs with a limit to the size of files, or of the database. What can't be written
    is refused, reading goes on, and a server with room again does what was asked for."""
    with world(store) as here:
        refused = 0
        traffic = Traffic(here.urls, here.key, seed)
        for trial in range(trials):
            limit = _no_room(here) if trial % 2 else _no_pages(here)
            server = here.start(code=f"{limit}\nfrom flagconsole.cli.main import main; main()")
            traffic.start()
            refused += bool(eventually(lambda server=server: _refuses(server.url, here.key), 60))
            traffic.stop()
            headers = {"Authorization": f"Bearer {here.key}"}
            assert httpx.get(f"{server.url}/api/flags", headers=headers, timeout=20).status_code == 200
            here.kill(server)
            server = here.start()
            traffic.settle()
            here.kill(server)
        here.start()
        return {**findings(here.store_url, traffic), "refused": refused, "kept": refused == trials}


def _no_room(here: World) -> str:
    """A limit to the size of files. Python ignores the signal that comes with it, so that a write fails as on a full disk."""
    largest = max(path.stat().st_size for path in here.folder.iterdir()) + 20_000
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, {resource.RLIM_INFINITY}))"


def _no_pages(here: World) -> str:
    """A limit to the database's pages, which each connection has for itself."""
    with closing(sqlite3.connect(here.store_url.removeprefix("sqlite:"))) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0] + 2
    return (
        "import sqlite3; real = sqlite3.connect\n"
        "def connect(*given, **named):\n"
        "    made = real(*given, **named)\n"
        f"    made.execute('PRAGMA max_page_count = {pages}')\n"
        "    return made\n"
        "sqlite3.connect = connect"
    )


def _refuses(url: str, key: str) -> bool:
    """Whether a change is refused because the store can't take it, in our own words."""
    headers = {"Authorization": f"Bearer {key}"}
    with suppress(httpx.HTTPError):
        body = {"description": os.urandom(200).hex(), "change_reason": "fill"}
        answer = httpx.put(f"{url}/api/flags/{FILLER}", json=body, headers=headers, timeout=20)
        return answer.status_code == 503 and answer.json()["code"] == "store_unavailable"
    return False


def locked(store: str, trials: int, seed: int) -> dict[str, object]:
    """Somebody else holds the database's lock for a while: the embedded file's, or the head row's."""
    dice = random.Random(seed)
    with world(store) as here:
        here.start()
        traffic = Traffic(here.urls, here.key, seed)
        traffic.start()
        for _ in range(trials):
            traffic.wait_for(dice.randrange(1, 20))
            _hold(here.store_url, dice.uniform(0.5, 7))
        traffic.wait_for(20)
        traffic.stop()
        healthy = eventually(lambda: ready(here.urls()[0]), 60)
        traffic.settle()
        return {**findings(here.store_url, traffic), "kept": bool(healthy)}


def _hold(store_url: str, seconds: float) -> None:
    held = threading.Event()  # never set: holding is waiting
    if store_url.startswith("sqlite:"):
        with closing(
            sqlite3.connect(store_url.removeprefix("sqlite:"), isolation_level=None, timeout=20)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")
            held.wait(seconds)
            connection.execute("ROLLBACK")
        return
    with psycopg.connect(store_url) as connection:
        connection.execute("SELECT 1 FROM store_head FOR UPDATE")
        held.wait(seconds)


def clock(store: str, trials: int, seed: int) -> dict[str, object]:
    """Each server starts with its clock two hours off, in turn ahead and behind, and is killed again: positions never go back."""
    dice = random.Random(seed)
    with world(store) as here:
        traffic = Traffic(here.urls, here.key, seed)
        for trial in range(trials):
            server = here.start(code=_off(7200 if trial % 2 else -7200))
            traffic.settle()
            traffic.start()
            traffic.wait_for(dice.randrange(5, 30))
            here.kill(server)
            traffic.stop()
        here.start()
        traffic.settle()
        return findings(here.store_url, traffic)


def _off(seconds: int) -> str:
    """A program whose wall clock is so much ahead. Its monotonic one isn't, as in the real fault."""
    return (
        f"import time, datetime as d; real, ns = time.time, time.time_ns; time.time = lambda: real() + {seconds}; "
        f"time.time_ns = lambda: ns() + {seconds} * 10**9\n"
        "class datetime(d.datetime):\n"
        "    @classmethod\n"
        f"    def now(cls, tz=None): return cls.fromtimestamp(real() + {seconds}, tz)\n"
        "d.datetime = datetime\n"
        "from flagconsole.cli.main import main; main()"
    )


assert sys.platform == "linux", "these faults are made with what Linux has"
