"""What a page tells its reader to do.

A comment before a block says what it is for: ``<!-- file: NAME -->`` to be saved, ``<!-- run: TERMINAL -->`` to be typed there (with
``; exit: N`` where its last line ends so), ``<!-- stop: TERMINAL -->`` for Ctrl-C there before that. A ``text`` block after one to be typed, or
below ``<!-- see: TERMINAL -->``, is what is seen then: each of its lines in this order, other lines between them, ``…`` for whatever is different each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(
    r"((?:^<!-- [^\n]*-->\n)+)?^```(\w+)\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: wait for what is ``seen`` where there are no ``lines``, save ``lines`` as ``file``, or type them in ``terminal`` after Ctrl-C in those of ``stop``, and see ``seen``."""

    lines: tuple[str, ...]
    file: str = ""
    terminal: str = ""
    stop: tuple[str, ...] = ()
    exit: int = 0
    seen: tuple[str, ...] = ()


def steps(text: str) -> Iterator[Step]:
    """The steps of a page, in order. Blocks without a comment are not for the reader to do."""
    for comments, _, body, seen in _BLOCK.findall(text):
        said = dict(re.findall(r"(\w+): ([^;\s]+)", comments))
        lines = tuple(body.splitlines())
        if "file" in said:
            yield Step(lines, file=said["file"])
        elif "see" in said:
            yield Step((), terminal=said["see"], seen=lines)
        elif "run" in said:
            yield Step(
                lines,
                terminal=said["run"],
                stop=tuple(re.findall(r"<!-- stop: (\S+) -->", comments)),
                exit=int(said.get("exit", 0)),
                seen=tuple(seen.splitlines()),
            )


def matches(wanted: str, line: str) -> bool:
    """Whether a line is what the page shows."""
    return re.fullmatch(".*".join(re.escape(part) for part in wanted.split("…")), line) is not None


def missing(seen: tuple[str, ...], said: list[str]) -> str | None:
    """The first line of ``seen`` that doesn't follow in ``said``, if any."""
    rest = iter(said)
    for wanted in seen:
        if wanted.strip("…") and not any(matches(wanted, line.rstrip()) for line in rest):
            return wanted
    return None
