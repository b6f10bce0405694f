"""The checker of histories: it accepts what a right store does, and every wrong store is found out."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from faults import linear
from faults.linear import Operation, Setting, linearisable, step


def op(kind, called, answered, outcome="ok", seen=None, **more):
    return Operation(kind, called, answered, outcome, seen=seen, **more)


CANARY = Setting("canary", 10, 2)
SET = op("set", 0, 1, seen=CANARY, state="canary", percentage=10, changed=True)
KILLED = Setting("kill", 10, 3)
KILL = op("kill", 2, 3, seen=KILLED, changed=True)


@pytest.mark.parametrize(
    "history",
    [
        [SET, KILL, op("read", 4, 5, seen=KILLED)],
        # While the kill is under way, either is right.
        [SET, KILL, op("read", 2.5, 5, seen=CANARY)],
        [SET, KILL, op("kill", 4, 5, seen=KILLED), op("set", 6, 7, "killed", state="on", percentage=10)],
        [SET, KILL, op("revive", 4, 5, seen=Setting("off", 10, 4), version=3, changed=True)],
        [SET, op("set", 2, 3, "conflict", state="on", percentage=10, version=1)],
        # What lowers exposure needs no right version.
        [SET, op("set", 2, 3, seen=Setting("off", 10, 3), state="off", percentage=10, version=1, changed=True)],
        # Without an answer it happened, later than anybody could think, or not at all.
        [SET, op("kill", 2, 2, "unknown"), op("read", 9, 10, seen=CANARY), op("read", 11, 12, seen=KILLED)],
        [SET, op("kill", 2, 2, "unknown"), op("read", 9, 10, seen=CANARY)],
    ],
)
def test_what_a_right_store_may_answer(history):
    assert linearisable(history)


@pytest.mark.parametrize(
    "history",
    [
        # The kill was answered, and the flag is on for somebody who asks afterwards.
        [SET, KILL, op("read", 4, 5, seen=CANARY)],
        # A change went past the latch, or opened it.
        [SET, KILL, op("set", 4, 5, seen=Setting("on", 10, 4), state="on", percentage=10, changed=True)],
        # It was seen killed, and then again as before: an unknown outcome can't be taken back.
        [SET, op("kill", 2, 2, "unknown"), op("read", 3, 4, seen=KILLED), op("read", 5, 6, seen=CANARY)],
        # Done twice.
        [SET, KILL, op("kill", 4, 5, seen=Setting("kill", 10, 4), changed=True)],
        # A raise decided on an older version.
        [SET, op("set", 2, 3, seen=Setting("on", 10, 3), state="on", percentage=10, version=1, changed=True)],
        # A revive decided on an older version, or without any.
        [SET, KILL, op("revive", 4, 5, seen=Setting("off", 10, 4), version=2, changed=True)],
        [SET, KILL, op("revive", 4, 5, seen=Setting("off", 10, 4), changed=True)],
        # Acknowledged and lost.
        [SET, op("read", 2, 3, seen=Setting())],
        # From the future.
        [op("read", -2, -1, seen=CANARY), SET],
        # Refused without a reason.
        [SET, op("set", 2, 3, "conflict", state="off", percentage=10, version=1)],
    ],
)
def test_what_no_right_store_may_answer(history):
    assert not linearisable(history)


class Store:
    """A flag as a store keeps it, with one thing wrong where ``fault`` says so."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.flag = Setting()
        self.before = self.flag

    def do(self, asked: Operation) -> tuple[str, bool, Setting]:
        outcome, changed, after = step(self.flag, asked)
        match self.fault, asked.kind:
            case "lost", "set" if changed and asked.percentage % 5 == 0:
                return outcome, changed, after
            case "stale", "read":
                return "ok", False, self.before
            case "latch", "set" if outcome == "killed":
                outcome, changed, after = "ok", True, Setting(asked.state, asked.percentage, self.flag.version + 1)
            case "match", "set" if outcome == "conflict":
                outcome, changed, after = "ok", True, Setting(asked.state, asked.percentage, self.flag.version + 1)
            case "twice", "kill" if changed:
                after = after._replace(version=after.version + 1)
            case "revive", "revive" if outcome == "conflict":
                outcome, changed, after = "ok", True, Setting("off", self.flag.percentage, self.flag.version + 1)
            case "back", "kill" if changed:
                self.before, self.flag = self.flag, self.flag
                return outcome, changed, after
        if after != self.flag:
            self.before = self.flag
        self.flag = after
        return outcome, changed, after


def history(store: Store, dice: random.Random, length: int = 60, clients: int = 4) -> list[Operation]:
    """Calls by several clients that overlap; each takes effect somewhere between its call and its answer."""
    free, made = [0.0] * clients, []
    moment = 0.0
    for _ in range(length):
        client = dice.randrange(clients)
        moment = max(moment + dice.random(), free[client])
        kind = dice.choices(("read", "set", "kill", "revive"), (4, 5, 1, 2))[0]
        version = dice.choice((None, store.flag.version, store.flag.version - 1))
        state, percentage = dice.choice(("off", "canary", "on")), dice.randint(1, 20)
        asked = Operation(kind, 0, 0, "", state=state, percentage=percentage, version=version)
        outcome, changed, after = store.do(asked)
        called, answered = max(free[client], moment - dice.random() * 2), moment + dice.random() * 2
        free[client] = answered
        if kind != "read" and dice.random() < 0.05:
            outcome = "unknown"
        seen = after if outcome == "ok" else None
        made.append(
            Operation(kind, called, answered, outcome, state, percentage, version, changed and outcome == "ok", seen)
        )
    return made


@pytest.mark.parametrize("seed", range(20))
def test_the_histories_of_a_right_store_are_linearisable(seed):
    assert linearisable(history(Store(), random.Random(seed)))


@pytest.mark.parametrize("fault", ["lost", "stale", "latch", "match", "twice", "revive", "back"])
def test_every_wrong_store_is_found_out(fault):
    wrong = [linearisable(history(Store(fault), random.Random(seed))) for seed in range(20)]
    assert wrong.count(False) >= 10, f"a checker that accepts everything would say {wrong}"


def test_a_checker_that_accepts_everything_would_be_noticed(monkeypatch):
    monkeypatch.setattr(linear, "possible", lambda flag, operation: operation.seen or flag)
    assert linearisable([SET, KILL, op("read", 4, 5, seen=CANARY)]), "this is the checker that the tests above refuse"
