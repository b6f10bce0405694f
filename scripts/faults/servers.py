"""kill -9 of servers, and servers that stop for a while."""

from __future__ import annotations

import random
import signal
import time

import psycopg
from tests.server_process import eventually

from faults.findings import findings
from faults.traffic import Traffic
from faults.world import world

#: A lease that is short, and that names the process that has it.
SHORT_LEASE = (
    "import os, flagconsole.rollout.lease as lease; lease.TTL_SECONDS = {ttl}; "
    "lease.Leadership.__init__.__kwdefaults__.update(ttl_seconds={ttl}, holder=str(os.getpid())); "
    "from flagconsole.cli.main import main; main()"
)


def kill_server(store: str, trials: int, seed: int) -> dict[str, object]:
    """kill -9 of the only server in the middle of writes."""
    dice = random.Random(seed)
    with world(store) as here:
        traffic = Traffic(here.urls, here.key, seed)
        for _ in range(trials):
            server = here.start()
            traffic.settle()
            traffic.start()
            traffic.wait_for(dice.randrange(1, 40))
            here.kill(server)
            traffic.stop()
        here.start()
        traffic.settle()
        return findings(here.store_url, traffic)


def kill_replica(store: str, trials: int, seed: int) -> dict[str, object]:
    """kill -9 of one of three servers in the middle of writes, which go on at the others."""
    dice = random.Random(seed)
    with world(store) as here:
        for _ in range(3):
            here.start()
        traffic = Traffic(here.urls, here.key, seed)
        traffic.start()
        for _ in range(trials):
            traffic.wait_for(dice.randrange(1, 40))
            here.kill(dice.choice(here.servers))
            traffic.wait_for(5)
            here.start()
        traffic.wait_for(20)
        traffic.stop()
        traffic.settle()
        return findings(here.store_url, traffic)


def stop_server(store: str, trials: int, seed: int) -> dict[str, object]:
    """SIGSTOP of one of two servers, wherever it is in a write; the other one goes on within seconds, and what the stopped one still
    does afterwards breaks nothing."""
    dice = random.Random(seed)
    with world(store) as here:
        first, second = here.start(), here.start()
        traffic = Traffic(here.urls, here.key, seed)
        traffic.start()
        for _ in range(trials):
            traffic.wait_for(dice.randrange(1, 40))
            stopped = dice.choice((first, second))
            stopped.send(signal.SIGSTOP)
            traffic.wait_for(10)
            stopped.send(signal.SIGCONT)
        traffic.wait_for(20)
        traffic.stop()
        traffic.settle()
        return {**findings(here.store_url, traffic), "kept": max(traffic.gaps) <= 10}


def stop_leader(store: str, trials: int, seed: int, ttl: float = 6.0) -> dict[str, object]:
    """SIGSTOP of the server that has the lease: the other one has it within 2×TTL, and the first one, continued, does not act on. The
    TTL is shorter than the real one, but longer than the database leaves a transaction open that the stopped one was in."""
    with world(store) as here:
        for _ in range(2):
            here.start(code=SHORT_LEASE.format(ttl=ttl))
        traffic = Traffic(here.urls, here.key, seed)
        traffic.start(2)
        waits, epochs = [], []
        for _ in range(trials):
            holder, epoch = eventually(lambda: _lease(here.store_url))
            leader = next(server for server in here.servers if str(server.process.pid) == holder)
            leader.send(signal.SIGSTOP)
            began = time.monotonic()
            eventually(lambda epoch=epoch: _lease(here.store_url)[1] > epoch, 60)
            waits.append(time.monotonic() - began)
            epochs.append(_lease(here.store_url)[1])
            traffic.wait_for(5)
            leader.send(signal.SIGCONT)
        traffic.stop()
        traffic.settle()
        return {
            **findings(here.store_url, traffic),
            "ttl_s": ttl,
            "replaced_after_s": round(max(waits), 2),
            "kept": max(waits) <= 2 * ttl and epochs == sorted(set(epochs)),
        }


def _lease(store_url: str):
    with psycopg.connect(store_url) as connection:
        return connection.execute("SELECT holder, epoch FROM leases WHERE holder != ''").fetchone()
