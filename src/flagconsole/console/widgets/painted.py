"""The base of everything on screen: a widget that paints rows of spans with the theme's styles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from flagconsole.console.line import BLANK
from flagconsole.console.safe import Line

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp


class Painted(Widget, inherit_bindings=False):
    """A widget without children that draws its rows itself. ``draw`` is asked again only after ``repaint`` or a resize."""

    can_focus = False
    ALLOW_SELECT = False

    #: The role of the rows' ground.
    ground: ClassVar[str] = "screen"

    _strips: list[Strip] | None = None

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
        """Draw anew. Only the rows that differ go to the terminal: most of a screen stays as it is from second to second."""
        before = self._strips
        width, height = self.size
        if before is None or not self.display or len(before) != height or (before and before[0].cell_length != width):
            self._strips = None
            self.refresh()
            return
        after = self._strips = self._drawn(width, height)
        changed = [Region(0, y, width, 1) for y in range(height) if after[y] != before[y]]
        if changed:
            self.refresh(*changed)

    def _drawn(self, width: int, height: int) -> list[Strip]:
        rows = list(self.draw(width, height))[:height]
        rows.extend([BLANK] * (height - len(rows)))
        palette, plain = self.console.palette, self.console.ascii_only
        return [palette.strip(row, width, self.ground_of(index), plain) for index, row in enumerate(rows)]

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
