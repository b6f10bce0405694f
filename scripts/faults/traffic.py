"""Clients that change and read flags while faults happen, and remember exactly what they were told."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx

from faults.linear import Operation, Setting
from faults.world import FLAGS

#: What a server answers when it did nothing, or can't say what became of a request.
AGAIN = frozenset({429, 502, 503, 504})


@dataclass
class Call:
    """A request that one client makes, as often as it takes, with one key."""

    reason: str
    flag: str
    asked: Operation
    method: str
    path: str
    body: dict[str, object]
    headers: dict[str, str]


@dataclass
class Traffic:
    """What the clients share: where servers are, what is known of each flag, and the history so far."""

    urls: Callable[[], list[str]]
    key: str
    seed: int
    reading: bool = True
    history: dict[str, list[Operation]] = field(default_factory=lambda: {name: [] for name in FLAGS})
    acknowledged: dict[str, int] = field(default_factory=dict)
    unanswered: dict[str, Call] = field(default_factory=dict)
    regressions: int = 0
    asked_again: int = 0
    gaps: list[float] = field(default_factory=list)
    position: tuple[str, int] = ("", -1)
    problem: Exception | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)
    _last_answer: float = 0.0
    _round: int = 0

    def start(self, clients: int = 4) -> None:
        """Let so many clients work."""
        self.stopping.clear()
        self._round += 1
        self._last_answer = time.monotonic()
        self._threads = [threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop them; what has no answer by then is unanswered."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()
        if self.problem is not None:
            raise self.problem

    def settle(self) -> None:
        """Ask again for what was never answered, with the same keys. What has no answer even then stays unknown."""
        with httpx.Client(timeout=20) as client:
            for call in list(self.unanswered.values()):
                self.asked_again += 1
                for _ in range(20):
                    if self._try(client, call, self.urls()[0]):
                        break
                    time.sleep(0.2)

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Until so many more changes were acknowledged."""
        wanted, deadline = len(self.acknowledged) + more, time.monotonic() + seconds
        while len(self.acknowledged) < wanted and time.monotonic() < deadline:
            time.sleep(0.01)

    def complete(self) -> dict[str, list[Operation]]:
        """The whole history; what is still unanswered has an unknown outcome."""
        whole = {name: list(operations) for name, operations in self.history.items()}
        for call in self.unanswered.values():
            whole[call.flag].append(replace(call.asked, outcome="unknown", answered=call.asked.called))
        return whole

    def _work(self, number: int) -> None:
        try:
            self._ask(number)
        except Exception as problem:  # told to whoever started us, who would otherwise count too little and be content
            self.problem = problem
            self.stopping.set()

    def _ask(self, number: int) -> None:
        dice = random.Random(f"{self.seed} {self._round} {number}")
        versions: dict[str, int] = dict.fromkeys(FLAGS, 1)
        count = 0
        # A connection that hangs is given up soon; the question is asked again elsewhere.
        with httpx.Client(timeout=3) as client:
            while not self.stopping.is_set():
                count += 1
                call = self._next(dice, versions, f"trial-{self._round}-client-{number}-call-{count}")
                if call.asked.kind != "read":
                    with self._lock:
                        self.unanswered[call.reason] = call
                while not self.stopping.is_set():
                    urls = self.urls()
                    if urls and self._try(client, call, dice.choice(urls), versions):
                        break
                    time.sleep(0.02)

    def _next(self, dice: random.Random, versions: dict[str, int], reason: str) -> Call:
        flag = dice.choice(FLAGS)
        kinds = ("read", "set", "kill", "revive")
        kind = dice.choices(kinds, (3 if self.reading else 0, 6, 1, 3))[0]
        version = dice.choice((versions[flag], versions[flag], None)) if kind == "set" else versions[flag]
        state, percentage = dice.choice(("off", "canary", "canary", "on")), dice.randint(1, 99)
        asked = Operation(kind, time.monotonic(), 0.0, "unknown", state, percentage, version)
        headers = {"Authorization": f"Bearer {self.key}"}
        if kind == "read":
            # Clients that talk to each other: nobody may be shown what is older than anybody has seen.
            if self.position[1] >= 0:
                headers["X-Flagconsole-Position"] = f"{self.position[0]}:{self.position[1]}"
            return Call(reason, flag, asked, "GET", f"/api/flags/{flag}", {}, headers)
        headers["Idempotency-Key"] = reason
        if kind == "kill":
            return Call(reason, flag, asked, "POST", f"/api/flags/{flag}/kill", {"kill_reason": reason}, headers)
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        if kind == "revive":
            return Call(reason, flag, asked, "POST", f"/api/flags/{flag}/revive", {"revive_reason": reason}, headers)
        body = {"current_state": state, "canary_percentage": percentage, "change_reason": reason}
        return Call(reason, flag, asked, "PUT", f"/api/flags/{flag}", body, headers)

    def _try(self, client: httpx.Client, call: Call, url: str, versions: dict[str, int] | None = None) -> bool:
        """Ask once. False where there was no answer that says anything."""
        try:
            answer = client.request(
                call.method, url + call.path, json=call.body if call.body else None, headers=call.headers
            )
            said = answer.json()
        except (httpx.HTTPError, ValueError):
            return False
        if answer.status_code in AGAIN:
            return False
        self._note(call, answer.status_code, said, versions)
        return True

    def _note(self, call: Call, status: int, said: dict[str, object], versions: dict[str, int] | None) -> None:
        now = time.monotonic()
        outcome = {"version_conflict": "conflict", "flag_killed": "killed", "flag_not_killed": "not_killed"}
        done = replace(call.asked, answered=now, outcome="ok")
        if status >= 300:
            if said.get("code") not in outcome:
                raise AssertionError(f"{call.method} {call.path}: {status} {said}")
            done = replace(done, outcome=outcome[said["code"]])
        with self._lock:
            self.gaps.append(now - self._last_answer)
            self._last_answer = now
            self.unanswered.pop(call.reason, None)
            if status < 300:
                flag = said["flag"]
                seen = Setting(flag["current_state"], flag["canary_percentage"], flag["version"])
                done = replace(done, seen=seen, changed=bool(said.get("changed")))
                if versions is not None:
                    versions[call.flag] = max(versions[call.flag], seen.version)
                self._position(call, said)
                if done.changed:
                    self.acknowledged[call.reason] = said["change"]["change_id"]
            self.history[call.flag].append(done)

    def _position(self, call: Call, said: dict[str, object]) -> None:
        """Remember the newest position; an answer from before the one that the question carried is a regression."""
        if "epoch" in said and not said.get("replayed"):
            at = said["epoch"], said["revision"]
            carried = call.headers.get("X-Flagconsole-Position")
            if carried is not None:
                epoch, _, revision = carried.rpartition(":")
                self.regressions += at < (epoch, int(revision))
            self.position = max(self.position, at)
