"""How far a revision has come: who has confirmed it, who was told of it and has no way to confirm, and who is behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from flagconsole.console.rows import ChangeRow, FlagRow, InstanceRow
from flagconsole.domain.states import FlagState

#: What is said of those who were told, wherever they are counted.
CANT_CONFIRM: Final = "told, can't confirm"
_NAMED: Final = 3


class Arrival(NamedTuple):
    """The running instances by what is known of them. ``told`` gives no receipts: the change was written to its open stream,
    and more is never known, so it counts neither as confirmed nor as behind."""

    confirmed: tuple[InstanceRow, ...]
    told: tuple[InstanceRow, ...]
    behind: tuple[InstanceRow, ...]

    @property
    def able(self) -> int:
        """How many the count is of: all but those that were told."""
        return len(self.confirmed) + len(self.behind)

    @property
    def words(self) -> str:
        """``11/12``, and beside it those that were told."""
        return f"{len(self.confirmed)}/{self.able}" + (f" + {len(self.told)} told" if self.told else "")


def arrival(instances: Iterable[InstanceRow], epoch: str, revision: int) -> Arrival:
    """How far ``revision`` has come among the instances that run, or fell silent only a while ago."""
    confirmed: list[InstanceRow] = []
    told: list[InstanceRow] = []
    behind: list[InstanceRow] = []
    for row in instances:
        if not row.expected:
            continue
        found = confirmed if row.confirms(epoch, revision) else told if row.told(epoch, revision) else behind
        found.append(row)
    return Arrival(tuple(confirmed), tuple(told), tuple(behind))


def kill_of(row: FlagRow, history: Iterable[ChangeRow]) -> ChangeRow | None:
    """The change that killed a flag; None where it isn't killed. ``history`` is the newest first; where the kill is older than
    what is known of it, the flag's newest change stands for it, which can only be behind it."""
    if row.state is not FlagState.KILL or row.last is None or row.last.action == "killed":
        return row.last if row.state is FlagState.KILL else None
    found = (change for change in history if change.flag_name == row.name and change.action == "killed")
    return next(found, row.last)


def names(rows: Iterable[InstanceRow]) -> str:
    """The first few by name, and how many more there are."""
    ids = [row.instance_id for row in rows]
    return ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
