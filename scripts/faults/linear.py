"""Is a history linearisable? Each operation must seem to happen at one moment between its call and its answer.

The model is one flag: its state, percentage and version. Kill is a latch that only a revive with the right version opens; what raises
exposure needs the version that it was decided on, where one is given. An operation without an answer may have happened at any moment
after its call, or never. The search is Wing and Gong's with Lowe's memory of what was tried.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

RANK = {"kill": 0, "off": 1, "shadow": 2, "canary": 3, "on": 4}


class Setting(NamedTuple):
    """A flag at a moment."""

    state: str = "off"
    percentage: int = 0
    version: int = 1

    def raised_by(self, other: Setting) -> bool:
        """Whether ``other`` has more exposure."""
        if self.state == other.state == "canary":
            return other.percentage > self.percentage
        return RANK[other.state] > RANK[self.state]


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. ``kind`` is read, set, kill or revive; ``version`` is its If-Match. ``outcome`` is what was answered: ok (then ``seen``
    is the flag afterwards, and ``changed`` whether it was a change), conflict, killed (a set of a killed flag), not_killed, or
    unknown. Times are of one monotonic clock."""

    kind: str
    called: float
    answered: float
    outcome: str
    state: str = ""
    percentage: int = 0
    version: int | None = None
    changed: bool = False
    seen: Setting | None = None


def step(flag: Setting, operation: Operation) -> tuple[str, bool, Setting]:
    """What the store must do: outcome, whether it is a change, and the flag afterwards."""
    match operation.kind:
        case "read":
            return "ok", False, flag
        case "kill":
            if flag.state == "kill":
                return "ok", False, flag
            return "ok", True, Setting("kill", flag.percentage, flag.version + 1)
        case "revive":
            if flag.state != "kill":
                return "not_killed", False, flag
            if operation.version != flag.version:
                return "conflict", False, flag
            return "ok", True, Setting("off", flag.percentage, flag.version + 1)
    wanted = Setting(operation.state, operation.percentage, flag.version + 1)
    if wanted[:2] == flag[:2]:
        return "ok", False, flag
    if flag.state == "kill":
        return "killed", False, flag
    if operation.version not in {None, flag.version} and flag.raised_by(wanted):
        return "conflict", False, flag
    return "ok", True, wanted


def possible(flag: Setting, operation: Operation) -> Setting | None:
    """The flag after the operation, or None where what was answered can't have happened now."""
    outcome, changed, after = step(flag, operation)
    if operation.outcome == "unknown":
        return after
    if outcome != operation.outcome:
        return None
    if outcome == "ok" and (operation.changed != changed or operation.seen != after):
        return None
    return after


def linearisable(operations: Iterable[Operation], start: Setting = Setting()) -> bool:  # noqa: B008  # immutable
    """Whether there is an order of the operations of one flag that explains all answers."""
    todo = sorted(operations, key=lambda operation: operation.called)
    ends = [math.inf if operation.outcome == "unknown" else operation.answered for operation in todo]
    needed = sum(1 << index for index, operation in enumerate(todo) if operation.outcome != "unknown")
    tried: set[tuple[int, Setting]] = set()
    stack = [(0, start)]
    while stack:
        done, flag = stack.pop()
        if done & needed == needed:
            return True
        if (done, flag) in tried:
            continue
        tried.add((done, flag))
        for index in _next(todo, ends, done):
            after = possible(flag, todo[index])
            if after is not None:
                stack.append((done | 1 << index, after))
    return False


def _next(todo: Sequence[Operation], ends: Sequence[float], done: int) -> list[int]:
    """Those that may be next: called before any other that isn't done has answered."""
    found: list[int] = []
    first_end = math.inf
    for index, operation in enumerate(todo):
        if operation.called > first_end:
            break
        if not done >> index & 1:
            found.append(index)
            first_end = min(first_end, ends[index])
    return [index for index in found if todo[index].called <= first_end]
