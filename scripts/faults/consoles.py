"""A console that is killed, and the syncs that a server makes."""

from __future__ import annotations

import os
import re
import shutil
import signal
import time
from pathlib import Path

import httpx
from tests.server_process import ServerProcess

from faults.findings import findings
from faults.traffic import Traffic
from faults.world import FLAGS, world


def console(store: str, trials: int, seed: int) -> dict[str, object]:
    """kill -9 of the console; the fields that every fault has are made of its own."""
    from bench.console_killed import kill_console

    result = kill_console(trials, seed)
    return {
        **result,
        "acknowledged": result["opened"],
        "lost": len(result["broken"]) + result["sent_without_journal"],
        "duplicated": 0,
        "gaps": 0,
        "regressions": result["back_in_time"],
        "chain": True,
    }


def syncs(store: str, trials: int, seed: int) -> dict[str, object]:
    """One writer, ``trials`` writes, each acknowledged before the next; strace counts fsync and fdatasync."""
    if shutil.which("strace") is None:
        raise SystemExit("scripts/chaos syncs needs strace")
    with world(store) as here, httpx.Client(timeout=30) as client:
        trace = here.folder / "trace"
        prefix = ("strace", "-f", "-e", "trace=fsync,fdatasync", "-o", str(trace))
        server: ServerProcess = here.start(prefix=prefix)
        traffic = Traffic(here.urls, here.key, seed)
        time.sleep(1)  # what it syncs while it starts is none of this
        before = _synced(trace)
        for trial in range(trials):
            reason = f"trial-{trial}"
            body = {"current_state": "canary", "canary_percentage": trial % 99 + 1, "change_reason": reason}
            headers = {"Authorization": f"Bearer {here.key}"}
            answer = client.put(f"{server.url}/api/flags/{FLAGS[0]}", json=body, headers=headers).raise_for_status()
            traffic.acknowledged[reason] = answer.json()["change"]["change_id"]
        made = _synced(trace) - before
        # strace goes with what it traces; the other way round the server would stay.
        for child in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGTERM)
        server.process.wait(20)
        found = findings(here.store_url, traffic)
        return {**found, "syncs": made, "kept": made >= trials}


def _synced(trace: Path) -> int:
    return len(re.findall(r"\bf(?:data)?sync\(\d+\)\s*= 0|\bf(?:data)?sync resumed>\)\s*= 0", trace.read_text()))
