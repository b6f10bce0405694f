"""Watches a client from another thread, as a service's threads do."""

from __future__ import annotations

import threading
import time


class Watcher:
    """Reads a client all the time, from a thread of its own, and notes every step back."""

    def __init__(self, client):
        self._client = client
        self._stop = threading.Event()
        self.seen = []
        self.backwards = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        highest = ("", -1)
        while not self._stop.is_set():
            ruleset = self._client._held.ruleset
            if ruleset is not None:
                position = (ruleset.epoch, self._client.evaluate("a.b", "t").revision)
                if position < highest:
                    self.backwards.append((highest, position))
                if position != highest:
                    self.seen.append(position)
                highest = max(highest, position)
            time.sleep(0.0002)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(5)
