"""What an exported log has and another log hasn't: what is lost when an older backup takes the store's place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from flagconsole.domain.change import Change
from flagconsole.domain.states import FlagState


class LostChanges(NamedTuple):
    """``changes`` of the exported log that aren't here, oldest first; ``kills`` those of them that were in force at its end,
    of flags that aren't killed here and weren't since the two logs went apart."""

    changes: tuple[Change, ...]
    kills: tuple[Change, ...]


def lost_changes(exported: Sequence[Change], here: Sequence[Change]) -> LostChanges:
    """Compare two logs of one store, each oldest first. An entry is the same where its hash is."""
    ours, theirs = {change.hash for change in here}, {change.hash for change in exported}
    lost = tuple(change for change in exported if change.hash not in ours)
    again = {change.flag_name for change in here if change.hash not in theirs and _kills(change)}
    answered = again | _killed(here).keys()
    kills = (change for name, change in _killed(exported).items() if name not in answered)
    return LostChanges(lost, tuple(change for change in kills if change.hash not in ours))


def _killed(log: Iterable[Change]) -> dict[str, Change]:
    """The flags that are killed at the end of a log, each with the change that killed it."""
    found: dict[str, Change] = {}
    for change in log:
        if change.tenant_id is not None or change.new_state is None:
            continue
        if not _kills(change):
            found.pop(change.flag_name, None)
        else:
            found.setdefault(change.flag_name, change)
    return found


def _kills(change: Change) -> bool:
    return change.tenant_id is None and change.new_state == FlagState.KILL
