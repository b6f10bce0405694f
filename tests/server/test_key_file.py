"""The embedded store's own admin key: one that works, however many servers start at once."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx

from flagconsole.operations.keys import authenticate
from flagconsole.operations.service import Operations
from flagconsole.server.key_file import ensure_admin_key
from flagconsole.store import open_store


async def test_the_key_is_kept_while_it_works_and_made_anew_when_it_is_gone(tmp_path):
    store = await open_store(f"sqlite:{tmp_path / 'k.db'}")
    operations, path = Operations(store), tmp_path / "k.db.admin-key"
    try:
        first = await ensure_admin_key(operations, path)
        assert await ensure_admin_key(operations, path) == first
        assert os.stat(path).st_mode & 0o777 == 0o600
        path.unlink()
        second = await ensure_admin_key(operations, path)
        assert second != first
        async with store.read() as reader:
            assert (await authenticate(reader, second)).role == "admin"
    finally:
        await store.close()


def test_servers_that_start_at_once_on_a_new_store_share_one_key(tmp_path):
    # Each waits for the others right before it makes its key, which is where they used to revoke each other's.
    code = (
        "import sys; from flagconsole.server import run, serving; ensure = serving.ensure_admin_key\n"
        "async def together(*given):\n"
        "    print('here', flush=True); sys.stdin.readline(); return await ensure(*given)\n"
        "serving.ensure_admin_key = together; run.serve(sys.argv[1], port=0)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", code, f"sqlite:{tmp_path / 'k.db'}"]
    servers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    try:
        assert [server.stdout.readline() for server in servers] == ["here\n"] * 3
        for server in servers:
            server.stdin.write("\n")
            server.stdin.flush()
        # One that had to wait long for the others may say so before.
        addresses = [
            next(
                line.removeprefix("listening on ").strip() for line in server.stderr if line.startswith("listening on ")
            )
            for server in servers
        ]
        secret = (tmp_path / "k.db.admin-key").read_text().strip()
        for address in addresses:
            answer = httpx.get(f"{address}/api/status", headers={"Authorization": f"Bearer {secret}"}, timeout=60)
            assert answer.status_code == 200
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.communicate(timeout=60)
