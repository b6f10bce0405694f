"""The SDK inside a process: what importing it costs, forks, and the end of the interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time

from ..fake_server import KEY, until


def run(script: str, *arguments: str, timeout: float = 30.0, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, **environment},
    )


def test_importing_it_loads_nothing_heavy_and_starting_it_little_more():
    done = run(
        """
        import json, sys, time
        from flagconsole.sdk import FlagClient
        cost = time.process_time()
        first = sorted(sys.modules)
        client = FlagClient("http://127.0.0.1:9", "k", cache_dir=False)
        client.wait_ready(0.5)
        client.close()
        print(json.dumps([cost, first, sorted(sys.modules)]))
        """
    )
    assert done.returncode == 0, done.stderr
    cost, imported, started = json.loads(done.stdout)
    heavy = {"textual", "fastapi", "starlette", "uvicorn", "sqlite_utils", "plotext", "numpy", "pydantic", "stamina"}
    assert heavy & set(started) == set()
    assert {"httpx", "httpx_sse", "asyncio", "ssl", "rich", "click"} & set(imported) == set()
    assert "httpx" in started
    # The whole interpreter with this import; its own part is about half. Generous, since other work may run beside.
    assert cost < 0.4, f"{cost:.3f} s CPU"


FORKING = """
    import json, os, sys, time
    from flagconsole.sdk import FlagClient
    url, key, folder, when = sys.argv[1:]
    client = FlagClient(url, key, "web", cache_dir=folder)
    if when == "ready":
        assert client.wait_ready(20)
    heard = []
    client.on_change(heard.append)
    child = os.fork()
    inherited = client.evaluate("a.b", "t").revision
    assert client.wait_ready(20), client.status
    deadline = time.monotonic() + 20
    line = json.dumps({"child": child == 0, "instance": client.instance, "inherited": inherited}) + "\\n"
    os.write(1, line.encode())  # in one piece: the other process writes to the same pipe
    while client.state("a.b", "t") != "kill" or not heard:
        assert time.monotonic() < deadline, client.status
        time.sleep(0.002)
    client.close()
    if child:
        assert os.waitpid(child, 0)[1] == 0
    else:
        os._exit(0)
"""


def forked(server, tmp_path, when):
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(FORKING), server.url, KEY, str(tmp_path), when],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        until(lambda: len(server.streams) == 2)
        server.change("a.b", "kill")
        _, errors = process.communicate(timeout=30)
        assert (process.returncode, errors) == (0, "")
    finally:
        process.kill()
        process.communicate()
    return sorted(lines, key=lambda line: line["child"])


def test_a_forked_child_follows_on_its_own_under_its_own_name(server, tmp_path):
    parent, child = forked(server, tmp_path, "ready")
    assert parent["instance"] == "web"
    assert child["instance"].startswith("web-")
    assert child["inherited"] == 1, "it serves what it inherited, at once"
    confirmed = {
        asked.path.split("/")[3]
        for asked in server.requests
        if asked.method == "POST" and any(receipt["revision"] == 2 for receipt in asked.json()["receipts"])
    }
    assert confirmed == {parent["instance"], child["instance"]}


def test_forking_before_the_client_has_finished_starting(server, tmp_path):
    """As pre-fork servers do: the thread may be importing at this very moment."""
    for number in range(3):
        server.put("a.b", "on")
        server.revision += 1
        parent, child = forked(server, tmp_path / str(number), "at once")
        assert child["instance"] != parent["instance"]


def test_the_interpreter_ends_without_close_and_says_goodbye(server, tmp_path):
    done = run(
        """
        import sys
        from flagconsole.sdk import FlagClient
        client = FlagClient(sys.argv[1], sys.argv[2], cache_dir=sys.argv[3])
        assert client.wait_ready(20)
        client.on_change(print)
        """,
        server.url,
        KEY,
        str(tmp_path),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert server.reports[-1]["leaving"] is True


def test_the_interpreter_ends_though_nothing_answers(server, tmp_path):
    """A server that takes connections and never says a word."""
    import socket

    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        began = time.monotonic()
        done = run(
            """
            import sys, time
            from flagconsole.sdk import FlagClient
            clients = [FlagClient(sys.argv[1], "k", cache_dir=False) for _ in range(3)]
            clients.append(FlagClient("http://no-such-host.invalid", "k", cache_dir=False))
            clients[0].wait_ready(0.3)
            """,
            f"http://127.0.0.1:{deaf.getsockname()[1]}",
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 8


def test_a_client_that_is_forgotten_stops(server, tmp_path):
    done = run(
        """
        import gc, sys, threading, time
        from flagconsole.sdk import FlagClient
        client = FlagClient(sys.argv[1], sys.argv[2], cache_dir=sys.argv[3])
        assert client.wait_ready(20)
        assert any(thread.name == "flagconsole-sdk" for thread in threading.enumerate())
        del client
        gc.collect()
        deadline = time.monotonic() + 5
        while any(thread.name == "flagconsole-sdk" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        """,
        server.url,
        KEY,
        str(tmp_path),
    )
    assert (done.returncode, done.stderr) == (0, "")
