"""The base of the sheets: a framed box at the bottom of the screen, which has the keys while it is open."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual import events
from textual.worker import Worker

from flagconsole.console.frame import framed
from flagconsole.console.line import Line, cells, folded, line_width
from flagconsole.console.widgets.painted import Painted

if TYPE_CHECKING:
    from flagconsole.console.keymap import Command

#: What of a title stays where it is too long: the verb, a blank and the name.
_NAMED: Final = 3


class Sheet(Painted):
    """A sheet. It is as high as its ``body`` at the screen's width; it may grow while open but never shrinks."""

    ground = "sheet"
    of_a_sheet = True
    border: ClassVar[str] = "border"

    _least_height = 0
    #: What the last key was answered with, where it was none of this sheet's.
    _answer = ""

    @property
    def context(self) -> str:
        """The key map's context while this sheet is open."""
        raise NotImplementedError

    def title(self) -> Line:
        """What the sheet is about, in the upper frame."""
        raise NotImplementedError

    def closing_note(self) -> str:
        """What leaving the sheet means, in the lower frame."""
        return ""

    def sent_note(self) -> str:
        """That nothing was sent yet, where that is so: it stays in view beside an answer."""
        return ""

    def body(self, width: int) -> Sequence[Line]:
        """The rows inside the frame."""
        raise NotImplementedError

    def offers(self, command: Command) -> bool:
        """Whether a command of the context makes sense now; the footer leaves out what doesn't."""
        return True

    def takes(self, command: Command) -> bool:
        """Whether a command does something now, be it only to say what is missing."""
        return self.offers(command)

    def answer(self, words: str) -> None:
        """Answer a key that is none of this sheet's, in the lower frame: the ledger needn't be in view."""
        if words != self._answer:
            self._answer = words
            self.repaint()

    def seen_anew(self) -> None:
        """The sheet is in view again, after something lay over it."""

    def behind(
        self, work: Callable[[], Coroutine[None, None, None]], *, group: str = "default", exclusive: bool = False
    ) -> None:
        """Run ``work`` beside the event loop's other tasks. It is a function, not a coroutine: one that is replaced before it
        began has then not been begun."""
        _: Worker[None] = self.run_worker(work, group=group, exclusive=exclusive)

    def run(self, command: Command, key: str, event: events.Key) -> None:
        """Do what a key of this sheet's context means."""
        raise NotImplementedError

    def typed(self, event: events.Key) -> None:
        """A key that is no command here."""

    def pasted(self, text: str) -> None:
        """Text was pasted."""

    def updated(self, changed: frozenset[str]) -> None:
        """The app's state moved on; these flags look different."""
        self.reframe()

    def reframe(self) -> None:
        """Draw anew, higher where there is more to say. What was computed for a sheet that is gone is of no use."""
        if not self.is_attached:
            return
        width = self.screen.size.width
        rows = len(broken(self.body(max(20, width - 4)), width - 4)) + 2
        self._least_height = max(self._least_height, min(rows, max(6, self.screen.size.height - 6)))
        self.styles.height = self._least_height
        self.repaint()
        self.console.console_screen.sheet_framed(self._least_height)

    def on_mount(self) -> None:
        """Take the height that is needed."""
        self.reframe()

    def draw(self, width: int, height: int) -> list[Line]:
        """The frame with the body in it."""
        return self.boxed(self.body(width - 4), width, height)

    def boxed(self, rows: Sequence[Line], width: int, height: int) -> list[Line]:
        """``rows`` in the frame; below them the answer to a key that did nothing, else what leaving means."""
        answered = " · ".join(words for words in (self._answer, self.sent_note()) if words)
        if cells(answered) > width - 8:
            answered = self._answer
        note, role = (answered, "warning") if self._answer else (self.closing_note(), "muted")
        title = self.title()
        while len(title) > _NAMED and line_width(title) > width - 6:
            title = title[:-1]
        return framed(broken(rows, width - 4), title, note, width, height, self.border, note_role=role)


def broken(rows: Sequence[Line], width: int) -> list[Line]:
    """The rows, those that are too long broken between words: what a sheet says is never cut in the middle."""
    return [part for row in rows for part in folded(row, width)]
