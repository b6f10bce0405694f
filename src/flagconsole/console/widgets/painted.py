"""The base of everything on screen: a widget that paints rows of spans with the theme's styles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast

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
        """Draw anew."""
        self._strips = None
        self.refresh()

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
            rows = list(self.draw(width, height))[:height]
            rows.extend([BLANK] * (height - len(rows)))
            palette, plain = self.console.palette, self.console.ascii_only
            strips = [palette.strip(row, width, self.ground_of(index), plain) for index, row in enumerate(rows)]
            self._strips = strips
        return strips[y] if 0 <= y < len(strips) else Strip.blank(width)
