"""What pages are put together of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

#: What a page that is made from the code begins with.
NOTICE: Final = "<!-- Made from the code by scripts/docs: change the code, not this page. -->"


def page(title: str, about: str, *parts: str) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", NOTICE, about, *(part for part in parts if part)]) + "\n"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; empty where it would have no rows. Bars in cells are written so that they don't end them."""
    lines = [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *lines])


def code(text: object) -> str:
    """Text as code; nothing where there is none."""
    return f"`{text}`" if str(text) else ""


def sentence(text: str | None) -> str:
    """A docstring or help text as one paragraph, with its double backticks as Markdown's."""
    words = " ".join((text or "").split()).replace("\b", "").replace("``", "`")
    return re.sub(r"<([a-z]+)>", r"&lt;\1&gt;", words)
