"""The one way for text to get onto the console's screen.

Every name, reason, tenant, actor and server error was written by a stranger. Widgets paint ``Span`` objects, which are
made by ``span`` and carry only text that ``safe_text`` has passed; ``content`` and ``rich_text`` are the same for the few
places where Textual or Rich want an object of their own. ``HostileFilter`` is the last line behind them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.segment import Segment
from rich.text import Text
from textual.content import Content
from textual.filter import LineFilter

from flagconsole.domain.text import MAX_LENGTH, is_hostile, safe_text

if TYPE_CHECKING:
    from textual.color import Color

#: Stands for a hostile code point that slipped past everything else.
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Span(NamedTuple):
    """Text in one semantic style. Make it with ``span``, never directly."""

    text: str
    role: str


#: One row of the screen.
Line = tuple[Span, ...]

_cached_safe_text = lru_cache(8192)(safe_text)


def span(value: object, role: str = "plain", limit: int = MAX_LENGTH) -> Span:
    """``value`` as harmless text in the style that the theme gives ``role``; at most ``limit`` characters."""
    return Span(_cached_safe_text(value if isinstance(value, str) else str(value), limit), role)


def content(value: object) -> Content:
    """``value`` for a Textual widget: literal, without markup."""
    return Content(safe_text(value))


def rich_text(value: object) -> Text:
    """``value`` for a Rich renderable: literal, without markup."""
    return Text(safe_text(value))


class HostileFilter(LineFilter):
    """Replaces every code point that must never reach a terminal, whoever painted it."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments without hostile text. Nothing is copied when there is none."""
        if not is_hostile("".join([segment.text for segment in segments])):
            return segments
        return [
            Segment("".join(REPLACEMENT if is_hostile(char) else char for char in text), style, control)
            for text, style, control in segments
        ]
