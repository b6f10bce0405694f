"""The last look at rows before they go to the terminal: what Textual's line filters would do in every row of every frame, done once
for each row that is made."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from flagconsole.console.safe import HostileFilter


class Finish:
    """Passes rows through ``filters``, on ``background``. All but ``HostileFilter`` look at nothing but a style, and there are few
    styles: each is asked about once."""

    def __init__(self, filters: Sequence[LineFilter], background: Color) -> None:
        self.filters = filters
        self._background = background
        self._hostile = [item for item in filters if isinstance(item, HostileFilter)]
        self._others = [item for item in filters if not isinstance(item, HostileFilter)]
        self._styles: dict[Style | None, Style | None] = {}

    def __call__(self, segments: list[Segment]) -> list[Segment]:
        """The same row as it may be shown."""
        known = self._styles
        done = [
            Segment(text, known[style] if style in known else self._styled(style), control)
            for text, style, control in segments
        ]
        for item in self._hostile:
            done = item.apply(done, self._background)
        return done

    def _styled(self, style: Style | None) -> Style | None:
        sample = [Segment(" ", style)]
        for item in self._others:
            sample = item.apply(sample, self._background)
        found = self._styles[style] = sample[0].style
        return found
