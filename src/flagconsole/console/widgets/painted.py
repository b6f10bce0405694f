"""The base of everything on screen: a widget that paints rows of spans with the theme's styles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Final, cast

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from flagconsole.console.line import BLANK
from flagconsole.console.safe import Line

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp


#: So few cells between two that differ are sent along: going past them takes as many bytes.
WORTH_A_JUMP: Final = 4


class Painted(Widget, inherit_bindings=False):
    """A widget without children that draws its rows itself. ``draw`` is asked again only after ``repaint`` or a resize."""

    can_focus = False
    ALLOW_SELECT = False

    #: The role of the rows' ground.
    ground: ClassVar[str] = "screen"

    _strips: list[Strip] | None = None
    #: What the strips were made of: each row with its ground, and the theme, the signs and the width for all of them.
    _rows: Sequence[tuple[Line, str]] = ()
    _made_with: tuple[object, ...] = ()

    @property
    def console(self) -> ConsoleApp:
        """The app, as what it is."""
        return cast("ConsoleApp", self.app)

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """The rows to show; missing ones are left empty, surplus ones aren't seen."""
        raise NotImplementedError

    def ground_of(self, row: int) -> str:
        """The role of one row's ground."""
        return self.ground

    def repaint(self) -> None:
        """Draw anew. Only the cells that differ go to the terminal: most of a screen stays as it is from second to second."""
        before = self._strips
        width, height = self.size
        if before is None or not self.display or len(before) != height or (before and before[0].cell_length != width):
            self._strips = None
            self.refresh()
            return
        after = self._strips = self._drawn(width, height)
        changed = [
            Region(x, y, end - x, 1)
            for y, (old, new) in enumerate(zip(before, after, strict=True))
            if old is not new
            for x, end in differing(old, new)
        ]
        if changed:
            self.refresh(*changed)

    def _drawn(self, width: int, height: int) -> list[Strip]:
        """The rows as Textual paints them; a row that reads as it did keeps its strip."""
        lines = list(self.draw(width, height))[:height]
        lines.extend([BLANK] * (height - len(lines)))
        rows = [(row, self.ground_of(index)) for index, row in enumerate(lines)]
        palette, plain = self.console.palette, self.console.ascii_only
        made_with = (palette, plain, width)
        strips = self._strips if self._strips is not None and made_with == self._made_with else []
        kept = [strip if row == old else None for row, old, strip in zip(rows, self._rows, strips, strict=False)]
        kept.extend([None] * (height - len(kept)))
        drawn = [
            palette.strip(row, width, ground, plain) if strip is None else strip
            for strip, (row, ground) in zip(kept, rows, strict=True)
        ]
        self._rows, self._made_with = rows, made_with
        return drawn

    def notify_style_update(self) -> None:
        """Draw anew in another theme."""
        self._strips = None
        super().notify_style_update()

    def on_resize(self) -> None:
        """Draw anew in another size."""
        self.repaint()

    def render_line(self, y: int) -> Strip:
        """One row, as Textual asks for it."""
        width, height = self.size
        strips = self._strips
        if strips is None or len(strips) != height or (strips and strips[0].cell_length != width):
            strips = self._strips = self._drawn(width, height)
        return strips[y] if 0 <= y < len(strips) else Strip.blank(width)


def differing(before: Strip, after: Strip) -> list[tuple[int, int]]:
    """Where two rows of the same width differ: from which cell to which, from left to right."""
    known = dict(_places(before))
    found: list[tuple[int, int]] = []
    for x, segment in _places(after):
        if known.get(x) != segment:
            end = x + segment.cell_length
            if found and x - found[-1][1] <= WORTH_A_JUMP:
                found[-1] = (found[-1][0], end)
            else:
                found.append((x, end))
    return found


def _places(strip: Strip) -> Iterator[tuple[int, Segment]]:
    x = 0
    for segment in strip:
        yield x, segment
        x += segment.cell_length
