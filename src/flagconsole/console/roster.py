"""The flags that pass the filter, in their order, kept that way while flags change: one change costs a search, not a sort."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from flagconsole.console import view
from flagconsole.console.filtering import words_of
from flagconsole.console.state import ConsoleState
from flagconsole.console.view import Rank


class Roster:
    """The order of one table. ``names`` is replaced, never changed in place, so that a table can tell that it moved.
    ``members`` counts how often flags came or went."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.members = 0
        self._ranks: list[Rank] = []
        self._rank_of: dict[str, Rank] = {}

    def rebuild(self, state: ConsoleState) -> None:
        """Take all flags anew: the filter or the order is another one, or nobody knows what changed."""
        words = words_of(state.filter_text)
        self._rank_of = {
            name: view.rank(state, row) for name, row in state.flags.items() if view.passes(state, row, words)
        }
        self.members += 1
        self._ranks = sorted(self._rank_of.values())
        self.names = [rank[-1] for rank in self._ranks]

    def update(self, state: ConsoleState, changed: Iterable[str]) -> None:
        """Put the flags that look different into their new places."""
        words = words_of(state.filter_text)
        names: list[str] | None = None
        for name in changed:
            row = state.flags.get(name)
            after = view.rank(state, row) if row is not None and view.passes(state, row, words) else None
            before = self._rank_of.get(name)
            if before == after:
                continue
            names = list(self.names) if names is None else names
            self.members += (before is None) != (after is None)
            if before is not None:
                place = bisect_left(self._ranks, before)
                del self._ranks[place], names[place], self._rank_of[name]
            if after is not None:
                place = bisect_left(self._ranks, after)
                insort(self._ranks, after)
                names.insert(place, name)
                self._rank_of[name] = after
        if names is not None:
            self.names = names
