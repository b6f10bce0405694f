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


class Ground(Widget, inherit_bindings=False):
    """A container that shows the screen's ground where no widget lies over it."""

    can_focus = False

    def render_lines(self, crop: Region) -> list[Strip]:
        """Blank rows, all the same one."""
        return ground_rows(self, crop)


def ground_rows(widget: Widget, crop: Region) -> list[Strip]:
    """The screen's ground, as Textual asks a widget for its rows."""
    console = cast("ConsoleApp", widget.app)
    return [console.palette.strip(BLANK, crop.width, finish=console.finish)] * crop.height


class Painted(Widget, inherit_bindings=False):
    """A widget without children that draws its rows itself. ``draw`` is asked again only after ``repaint`` or a resize.

    It has neither frame nor padding in the style sheet, so its rows go to the terminal as they are: Textual's own way, which
    would look for both in every row of every frame, took a third of what a key cost.
    """

    can_focus = False
    ALLOW_SELECT = False

    #: The role of the rows' ground.
    ground: ClassVar[str] = "screen"
    #: Whether it is painted by what its sheet is told, not whenever its screen is.
    of_a_sheet: ClassVar[bool] = False

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
        if not self.display:
            self._strips = None  # it is drawn when it is laid out; until then nobody has to be told
            return
        before = self._strips
        width, height = self.size
        if before is None or len(before) != height or (before and before[0].cell_length != width):
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
            self._show_cells(changed)

    def _show_cells(self, regions: Sequence[Region]) -> None:
        """Let these cells go to the terminal with the next frame. Nothing has to be laid out for them, so the screen is told
        directly: by way of ``refresh`` and this widget's own queue that takes three messages more."""
        self._repaint_regions.update(regions)
        screen = self.screen
        screen._dirty_widgets.add(self)
        if screen.is_current and not self.app._batch_count:
            screen._update_timer.resume()

    def _drawn(self, width: int, height: int) -> list[Strip]:
        """The rows as Textual paints them; a row that reads as it did keeps its strip."""
        lines = list(self.draw(width, height))[:height]
        lines.extend([BLANK] * (height - len(lines)))
        rows = [(row, self.ground_of(index)) for index, row in enumerate(lines)]
        console = self.console
        palette, plain = console.palette, console.ascii_only
        made_with = (palette, plain, width)
        strips = self._strips if self._strips is not None and made_with == self._made_with else []
        kept = [strip if row == old else None for row, old, strip in zip(rows, self._rows, strips, strict=False)]
        kept.extend([None] * (height - len(kept)))
        finish = console.finish
        self._rows, self._made_with = rows, made_with
        return [
            palette.strip(row, width, ground, plain, finish) if strip is None else strip
            for strip, (row, ground) in zip(kept, rows, strict=True)
        ]

    def notify_style_update(self) -> None:
        """Draw anew in another theme."""
        self._strips = None
        super().notify_style_update()

    def on_resize(self) -> None:
        """Draw anew in another size."""
        self.repaint()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows, as Textual asks for them."""
        width, height = self.size
        strips = self._strips
        if strips is None or len(strips) != height or (strips and strips[0].cell_length != width):
            strips = self._strips = self._drawn(width, height)
        rows = strips[crop.y : crop.bottom]
        rows.extend([Strip.blank(width)] * (crop.height - len(rows)))
        if (crop.x, crop.width) == (0, width):
            return rows
        return [row.crop_extend(crop.x, crop.right, None) for row in rows]

    def render_line(self, y: int) -> Strip:
        """One row."""
        return self.render_lines(Region(0, y, self.size.width, 1))[0]


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
