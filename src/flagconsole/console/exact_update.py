"""Sends a terminal the cells that changed and no others. Textual's own update begins each changed piece of a row where the
widget begins; over a slow link most of a frame would be what is on screen already.
"""

from __future__ import annotations

from rich.console import Console
from rich.control import Control
from textual._compositor import ChopsUpdate


class ExactUpdate(ChopsUpdate):
    """An update of parts of rows, cut exactly at both ends."""

    @classmethod
    def of(cls, update: ChopsUpdate) -> ExactUpdate:
        """The same update."""
        return cls(update.chops, update.spans, update.chop_ends)

    def render_segments(self, console: Console) -> str:
        """What to write to the terminal."""
        written: list[str] = []
        for y, begin, end in self.spans:
            for until, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                first, last = max(x, begin), min(until, end)
                if strip is None or first >= last:
                    continue
                part = strip if (first, last) == (x, until) else strip.crop(first - x, last - x)
                written.append(Control.move_to(first, y).segment.text)
                written.append(part.render(console))
        return "".join(written)
