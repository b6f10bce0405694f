"""What every contender's process runs: read a line of JSON, measure, answer with a line of JSON. Standard library only.

``python loop.py NAME`` takes ``NAME.py`` beside it, which has ``version()``, ``prepare(flags, folder)`` (what the tool would have been
sent, made before the clock runs), ``load(prepared)`` (what is timed) and ``asker(loaded)``, a function of flag and tenant.
"""

import gc
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path


def memory():
    """What this process holds in memory now, bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


class Loop:
    """One contender."""

    def __init__(self, tool, folder):
        self.tool = tool
        self.folder = folder
        self.askers = {}

    def version(self):
        return {"version": self.tool.version()}

    def load(self, flags):
        """Time and memory of loading so many flags."""
        prepared = self.tool.prepare(flags, self.folder)
        gc.collect()
        before = memory()
        cpu, wall = time.process_time(), time.perf_counter()
        loaded = self.tool.load(prepared)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        gc.collect()
        grown = memory() - before
        self.tool.asker(loaded)("team.flag_00000", "tenant-0001")
        close = getattr(self.tool, "close", None)
        if close is not None:
            close(loaded)
        return {"cpu": cpu, "wall": wall, "memory": grown}

    def asker(self, flags):
        if flags not in self.askers:
            self.askers[flags] = self.tool.asker(self.tool.load(self.tool.prepare(flags, self.folder)))
        return self.askers[flags]

    def answers(self, flags, flag, tenants):
        """Who gets the flag."""
        ask = self.asker(flags)
        return {"enabled": [tenant for tenant in tenants if ask(flag, tenant)]}

    def evaluate(self, flags, flag, tenants, seconds):
        """CPU seconds a call, over as many calls as take about ``seconds``; only what the loop itself costs is taken off."""
        ask = self.asker(flags)
        for tenant in tenants[:50]:
            ask(flag, tenant)
        began = time.process_time()
        for tenant in tenants[:200]:
            ask(flag, tenant)
        took = max(time.process_time() - began, 1e-6) / 200
        if took < 1e-4:
            for tenant in tenants:
                ask(flag, tenant)
        turns = max(1, int(seconds / (took * len(tenants))))
        asked = tenants if took * len(tenants) <= seconds else tenants[: max(20, int(seconds / took))]
        began = time.process_time()
        for _ in range(turns):
            for tenant in asked:
                ask(flag, tenant)
        cpu = time.process_time() - began
        began = time.process_time()
        for _ in range(turns):
            for _tenant in asked:
                pass
        cpu -= time.process_time() - began
        return {"seconds": cpu / (turns * len(asked)), "calls": turns * len(asked)}

    def latency(self, flags, flag, tenants, calls):
        """The 99th percentile of a single call in seconds, less what reading the clock costs."""
        ask, clock = self.asker(flags), time.perf_counter_ns
        times, empty = [], []
        for number in range(calls):
            tenant = tenants[number % len(tenants)]
            began = clock()
            ask(flag, tenant)
            times.append(clock() - began)
            began = clock()
            empty.append(clock() - began)
        times.sort()
        empty.sort()
        return {"p99": max(0, times[int(calls * 0.99)] - empty[calls // 2]) / 1e9}


def main():
    """Serve until nobody asks any more."""
    name = sys.argv[1]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a tool prints is no answer
    sys.path[:] = sys.path[1:]  # scripts are named as the tools that they import
    found = importlib.util.spec_from_file_location(name, Path(__file__).parent / (name + ".py"))
    tool = importlib.util.module_from_spec(found)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found.loader.exec_module(tool)
        loop = Loop(tool, folder)
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                answer = getattr(loop, asked.pop("do"))(**asked)
            except Exception as error:
                answer = {"problem": f"{type(error).__name__}: {str(error)[:300]}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
