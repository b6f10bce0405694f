"""What does measuring an operation cost the operation?

``python -m bench operation`` times empty operations of one thread, of eight at once, and under ten thousand tenants, beside
``is_enabled`` alone, in microseconds a call.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import threading
import time
from collections.abc import Callable

from flagconsole.domain.evaluation import Rule, Ruleset
from flagconsole.domain.states import FlagState
from flagconsole.sdk import FlagClient

FLAG = "invoices.write"


def client() -> FlagClient:
    """A client that follows nobody, with one flag that is on."""
    made = FlagClient("http://127.0.0.1:9", "fc_bench", cache_dir=False, start=False)
    made._held.restore(Ruleset("e", 1, {FLAG: Rule(FLAG, FlagState.ON, 0, frozenset(), (), 1)}, {}), ("e", 1), 0.0)
    return made


def ask(flags: FlagClient, tenants: list[str], times: int) -> None:
    """Only ask."""
    for number in range(times):
        flags.is_enabled(FLAG, tenants[number % len(tenants)])


def block(flags: FlagClient, tenants: list[str], times: int) -> None:
    """An empty block."""
    for number in range(times):
        with flags.operation(FLAG, tenants[number % len(tenants)]):
            pass


def decorated(flags: FlagClient, tenants: list[str], times: int) -> None:
    """An empty function."""
    function = flags.operation(FLAG, lambda tenant: tenant)(lambda tenant: None)
    for number in range(times):
        function(tenants[number % len(tenants)])


def async_block(flags: FlagClient, tenants: list[str], times: int) -> None:
    """An empty asynchronous block."""

    async def work() -> None:
        for number in range(times):
            async with flags.operation(FLAG, tenants[number % len(tenants)]):
                pass

    asyncio.run(work())


def microseconds(work: Callable[[FlagClient, list[str], int], None], tenants: int, threads: int, times: int) -> float:
    """The median of five runs, a call."""
    names = [f"tenant-{number:05}" for number in range(tenants)]
    runs = []
    for _ in range(5):
        flags = client()
        workers = [threading.Thread(target=work, args=(flags, names, times)) for _ in range(threads)]
        began = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        runs.append((time.perf_counter() - began) / (times * threads) * 1e6)
        flags.close(0)
    return statistics.median(runs)


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench operation")
    parser.add_argument("--times", type=int, default=50_000, help="calls of each thread")
    times = parser.parse_args(arguments).times
    print("what                     1 thread   8 threads   10,000 tenants    (µs a call)")
    for name, work in (("is_enabled", ask), ("with", block), ("async with", async_block), ("decorator", decorated)):
        one, eight = microseconds(work, 1, 1, times), microseconds(work, 1, 8, times // 8)
        many = microseconds(work, 10_000, 1, times)
        print(f"{name:<22}{one:>11.2f}{eight:>12.2f}{many:>17.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
