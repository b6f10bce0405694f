"""kill -9 of the console while it writes its cache and while an action is under way. For ``scripts/chaos console``."""

from __future__ import annotations

import json
import random
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.console.pseudo_terminal import PseudoTerminal

from bench.console import opened, rate, serving
from flagconsole.console import cache
from flagconsole.console.journal import Journal

#: Changes a second, so that something is written all the time.
EVENTS = 200
LIVE = "● LIVE".encode()
CACHE = "○ CACHE".encode()


def kill_console(trials: int, seed: int) -> dict[str, object]:
    """Each trial: a console on the same cache, a kill that the server never answers, then kill -9 at any moment."""
    chance = random.Random(seed)
    begun = time.monotonic()
    broken: list[str] = []
    back = shown = recorded = positions = 0
    newest = ("", -1)
    with tempfile.TemporaryDirectory(prefix="flagconsole-chaos-") as name, serving(300) as url:
        folder = Path(name)
        path = cache.cache_path(folder / "cache", "bench", "fc_bench")
        for trial in range(trials):
            rate(url, EVENTS)
            acting = trial % 4 == 3
            with opened(url, folder) as terminal:
                if newest[1] >= 0:
                    terminal.until(CACHE, 60)  # what was kept is on screen before the server has answered
                    shown += 1
                terminal.until(LIVE, 60)
                if acting:
                    _kill_a_flag(terminal)
                terminal.watch(chance.uniform(0.0, 1.5))
                terminal.process.kill()
                terminal.process.wait()
            rate(url, 0)
            try:
                found = cache.read(path)
            except cache.Unusable as error:
                broken.append(f"trial {trial}: {error}")
                continue
            if found is None:
                continue
            positions += 1
            back += (found.epoch, found.revision) < newest
            newest = max(newest, (found.epoch, found.revision))
            if acting:
                recorded += 1
        unresolved = Journal(folder / "journal.db").unresolved("bench")
        asked = _asked(url)
    return {
        "fault": "console",
        "trials": trials,
        "seed": seed,
        "opened": positions,
        "shown_from_cache": shown,
        "revision": newest[1],
        "broken": broken,
        "back_in_time": back,
        "actions": recorded,
        "actions_in_journal": len(unresolved),
        "kills_that_reached_the_server": len(asked),
        "sent_without_journal": len(set(asked) - {item.action.key for item in unresolved}),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _kill_a_flag(terminal: PseudoTerminal) -> None:
    """K, a digit, Y, like a person."""
    terminal.answered(b"K", b"nothing sent yet", 30)
    terminal.watch(0.4)
    terminal.type(b"1")
    terminal.watch(0.4)
    seen = b""
    for _ in range(20):
        # A change of the flag under the sheet makes Y count only once it has been seen, as it should.
        seen += terminal.output
        terminal.type(b"Y")
        terminal.watch(0.5)
        if b"SENT" in seen + terminal.output:
            return
    raise AssertionError("the kill was never sent")


def _asked(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/killed") as answer:
        keys: list[str] = json.loads(answer.read())
    return keys
