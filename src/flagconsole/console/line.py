"""Rows of text in cells: measured, cut, padded and wrapped. Wide characters count two cells, combining ones none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

from flagconsole.console.safe import Line as Line
from flagconsole.console.safe import Span, span

ELLIPSIS = "…"
BLANK: Line = ()
#: A word with the blanks around it.
_WORDS: Final = re.compile(r" *[^ ]+ *| +")
#: Below this nothing is read, broken or not: a widget that hasn't got its place yet may even be less than nothing wide.
_READABLE: Final = 16
#: What takes no more cells before a row's text is its number or sign.
_SIGN: Final = 4


def cells(text: str) -> int:
    """The cells that a text needs. Nearly all of it is ASCII, which needs no table."""
    return len(text) if text.isascii() else cell_len(text)


def line(*parts: Span | str) -> Line:
    """A row of the given spans; a bare string is fixed text of our own in the row's plain style."""
    return tuple(span(part) if isinstance(part, str) else part for part in parts)


def line_width(row: Line) -> int:
    """The cells that a row needs."""
    return sum([cells(part.text) for part in row])


def cut_text(text: str, width: int) -> str:
    """``text`` in at most ``width`` cells, ending in ``…`` where something is missing."""
    if cells(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS if width > 0 else ""


def cut(row: Line, width: int) -> Line:
    """The row in at most ``width`` cells. Where something is typed the caret stays in view: what stands before it gives way."""
    if line_width(row) <= width:
        return row
    row = _with_caret(row, width)
    kept: list[Span] = []
    left = width
    for part in row:
        size = cells(part.text)
        if size > left:
            if left > 0:
                kept.append(part._replace(text=cut_text(part.text, left)))
            elif kept and not kept[-1].text.endswith(ELLIPSIS):
                last = kept[-1]
                kept[-1] = last._replace(text=cut_text(last.text + " ", cell_len(last.text)))
            break
        kept.append(part)
        left -= size
    return tuple(kept)


def _with_caret(row: Line, width: int) -> Line:
    place = next((place for place, part in enumerate(row) if part.role == "caret"), 0)
    over = line_width(row[: place + 1]) + bool(line_width(row[place + 1 :])) - width
    if not place or over <= 0:
        return row
    typed = row[place - 1]
    kept, room = typed.text, cells(typed.text) - over - 1
    while kept and cells(kept) > room:
        kept = kept[1:]
    return (*row[: place - 1], typed._replace(text=ELLIPSIS + kept), *row[place:])


def pad(row: Line, width: int, role: str = "plain") -> Line:
    """The row in exactly ``width`` cells."""
    missing = width - line_width(row)
    if missing < 0:
        row = cut(row, width)
        missing = width - line_width(row)
    return (*row, Span(" " * missing, role)) if missing > 0 else row


def cell(value: object, width: int, role: str = "plain", *, right: bool = False) -> Span:
    """One table cell of exactly ``width`` cells."""
    shown = span(value, role)
    text, size = shown.text, cells(shown.text)
    if size > width:
        text = cut_text(text, width)
        size = cells(text)
    if size == width:
        return Span(text, role)
    fill = " " * (width - size)
    return Span(fill + text if right else text + fill, role)


def spread(left: Line, right: Line, width: int) -> Line:
    """``left`` at the left edge and ``right`` at the right one; the left gives way where both don't fit."""
    right = cut(right, width)
    room = width - line_width(right)
    return (*pad(left, room), *right)


def joined(parts: Iterable[Line], between: str = "  ") -> Line:
    """Rows as one row with a gap between them; empty ones are left out."""
    row: list[Span] = []
    for part in parts:
        if not part:
            continue
        if row:
            row.append(Span(between, "plain"))
        row.extend(part)
    return tuple(row)


def wrapped(value: object, width: int, role: str = "plain", most: int = 20) -> list[Line]:
    """Text broken at blanks into rows of at most ``width`` cells; at most ``most`` rows, the last one ending in ``…``."""
    words = span(value, role, limit=max(1, width) * (most + 1)).text.split(" ")
    rows: list[str] = []
    current = ""
    for word in words:
        candidate = f"{current} {word}" if current else word
        if cell_len(candidate) <= width:
            current = candidate
            continue
        if current:
            rows.append(current)
        current = word
        while cell_len(current) > width > 0:
            head = set_cell_size(current, width).rstrip(" ")
            rows.append(head)
            current = current[len(head) :]
    rows.append(current)
    if len(rows) > most:
        rows = [*rows[: most - 1], cut_text(rows[most - 1] + " " + ELLIPSIS, width)]
    return [(Span(row, role),) for row in rows]


def folded(row: Line, width: int) -> list[Line]:
    """A row of spans broken at blanks into rows of at most ``width`` cells. What doesn't fit in the first goes on below, behind
    its label where it has one. A row in which something is typed stays one: it is cut so that the caret stays in view."""
    if line_width(row) <= width or width < _READABLE or any(part.role == "caret" for part in row):
        return [row]
    head = _label(row, width)
    indent = min(line_width(head) or len(row[0].text) - len(row[0].text.lstrip()), width // 2)
    rows: list[Line] = []
    current, room = list(head), width - line_width(head)
    begun = False
    for word in _words(row[len(head) :]):
        if begun and cells(text_of(word).rstrip()) > room:
            rows.append(_trimmed(current))
            current, room = [span(" " * indent)], width - indent
            word = (word[0]._replace(text=word[0].text.lstrip()), *word[1:])
        current += word
        begun = True
        room -= line_width(word)
    return [cut(kept, width) for kept in (*rows, _trimmed(current)) if kept]


def _words(row: Line) -> list[Line]:
    """The row's words, each with the blanks before and behind it. Parts without a blank between them are one word."""
    words: list[list[Span]] = []
    for part in row:
        for text in _WORDS.findall(part.text):
            piece = part._replace(text=text)
            if words and not (words[-1][-1].text.endswith(" ") or text.startswith(" ")):
                words[-1].append(piece)
            else:
                words.append([piece])
    return [tuple(word) for word in words]


def _trimmed(row: Sequence[Span]) -> Line:
    """The row without blanks at its end."""
    kept = list(row)
    while kept and not (last := kept[-1].text.rstrip(" ")):
        kept.pop()
    return (*kept[:-1], kept[-1]._replace(text=last)) if kept else ()


def _label(row: Line, width: int) -> Line:
    """What a row begins with: up to its label, or a number or sign of a few cells."""
    for place, part in enumerate(row[:2]):
        if part.role == "header" and line_width(row[: place + 1]) <= width // 3:
            return row[: place + 1]
    return row[:1] if row[0].text.endswith(" ") and cells(row[0].text) <= _SIGN else ()


def text_of(row: Sequence[Span]) -> str:
    """What a row says, without its styles."""
    return "".join(part.text for part in row)
