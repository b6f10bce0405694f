"""Lines of prose for a terminal: broken between words. What is to be copied stays in one piece."""

from __future__ import annotations

import re
import textwrap
from typing import Final

#: Where something begins that is typed as it stands: a command, or a variable that is set.
_COPIED: Final = re.compile(r"(?:(?<=: )|(?<=\())(?=(?:flagconsole|export) )")
_NARROWEST: Final = 20
#: A number and its unit stay together.
_UNIT: Final = re.compile(r"(?<=\d) (?=(?:%|ms|s|min|h)(?!\w))")
_JOINED: Final = "\N{NO-BREAK SPACE}"


def wrapped(line: str, width: int | None) -> str:
    """The line with breaks between words, and what follows indented, where it is longer than ``width``; None: never. A command
    at its end isn't broken, so that it can be copied, and what consists of several lines stays as it is."""
    if width is None or width < _NARROWEST or len(line) <= width or "\n" in line or line.lstrip()[:1] in {"{", "["}:
        return line
    begin = _COPIED.search(line)
    prose, copied = (line, "") if begin is None else (line[: begin.start()], line[begin.start() :])
    indent = " " * (len(prose) - len(prose.lstrip()))
    rest = f"{indent}  "
    lines = textwrap.wrap(
        _UNIT.sub(_JOINED, prose.rstrip()),
        width,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
    )
    if copied and lines and len(lines[-1]) + 1 + len(copied) <= width:
        lines[-1] += f" {copied}" if prose.endswith(" ") else copied
    elif copied:
        lines.append(f"{rest}{copied}")
    return "\n".join(lines).replace(_JOINED, " ")
