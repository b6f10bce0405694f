"""The part of the audit log that a history screen holds: the newest changes, and pages of older ones fetched when needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flagconsole.console.questions import OlderChanges, Questions
from flagconsole.console.rows import ChangeRow

#: Older changes that are held at most. Beyond, one asks for the changes around a time instead.
HELD: Final = 5_000
#: Changes on either side of a moment that are fetched with it.
MARGIN: Final = 50


class Log:
    """Changes of one flag, or of all where ``flag_name`` is None."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self.flag_name: str | None = None
        self.more = True
        self.problem = ""
        self._older: tuple[ChangeRow, ...] = ()
        self._jumped = False

    def choose(self, flag_name: str | None) -> None:
        """Hold the log of another flag, or of all."""
        if flag_name != self.flag_name:
            self.flag_name = flag_name
            self.forget()

    def forget(self) -> None:
        """Hold only the newest changes again."""
        self._older, self.more, self.problem, self._jumped = (), True, "", False

    def rows(self, newest: Sequence[ChangeRow]) -> list[ChangeRow]:
        """Everything that is held, newest first; ``newest`` is what the console knows of all flags."""
        known = {row.change_id: row for row in self._older}
        known.update((row.change_id, row) for row in newest)
        rows = sorted(known.values(), key=lambda row: -row.change_id)
        return rows if self.flag_name is None else [row for row in rows if row.flag_name == self.flag_name]

    @property
    def full(self) -> bool:
        """Whether no more older changes are taken in."""
        return len(self._older) >= HELD

    async def fetch_older(self, newest: Sequence[ChangeRow]) -> None:
        """Take in one more page. What was fetched around a time goes first: it isn't part of the run from the newest on."""
        if self._jumped:
            self.forget()
        if self.full or not self.more:
            return
        rows, name = self.rows(newest), self.flag_name
        page = await self._questions.older_changes(name, rows[-1].change_id if rows else None)
        self._take(page, name)

    async def fetch_around(self, moment: float, head: int) -> None:
        """Take in the changes around a moment. Ids have no gaps and go with time, so the place is found by halving."""
        low, high = 0, head  # the last change at or before the moment is in low..high
        while low < high:
            middle = (low + high + 1) // 2
            at = await self._time_of(middle)
            if at is None:
                self.problem = "the changes around that time can't be had"
                return
            low, high = (middle, high) if at <= moment else (low, middle - 1)
        name = self.flag_name
        page = await self._questions.older_changes(name, low + MARGIN + 1)
        self._older = ()
        self._take(page, name)
        self._jumped = True

    async def _time_of(self, change_id: int) -> float | None:
        """When a change was made; None where that can't be had."""
        page = await self._questions.older_changes(None, change_id + 1, limit=1)
        return page.rows[0].at if isinstance(page, OlderChanges) and page.rows else None

    def _take(self, page: OlderChanges | str, name: str | None) -> None:
        if name != self.flag_name:
            return  # another flag was chosen meanwhile
        if isinstance(page, str):
            self.problem = page
            return
        self.problem, self.more = "", page.more
        self._older = (*self._older, *page.rows)
