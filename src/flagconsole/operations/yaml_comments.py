"""The comments of a YAML file by what they are about, so that they can be written again where they were.

What a comment is about is a path of keys, such as ``("flags", "invoices.write", "percentage")``; an item of a list is known by
what names it. A comment in lines of its own is about what follows it, one behind a value about that value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.events import Event, ScalarEvent

from flagconsole.operations.strict_yaml import Node

Path = tuple[str, ...]
#: What names an item of the list at this path; None where it has no name.
Naming = Callable[[Path, Node], str | None]

_BEHIND: Final = re.compile(r"[\s,:\]\}\[\{-]*(?:(?<=\s)|^)(#.*)$")
_BLOCK: Final = re.compile(r"[|>][-+0-9]*\s+(#.*)$")


@dataclass(slots=True)
class Comments:
    """Lines of their own before a path (empty ones for blank lines), a comment behind it, and what follows the last path."""

    before: dict[Path, list[str]] = field(default_factory=dict)
    behind: dict[Path, str] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)


class Line(NamedTuple):
    """A line of a file that is written: at this path, indented by so many spaces."""

    path: Path
    indent: int
    text: str


def comments_of(text: str, root: Node, naming: Naming) -> Comments:
    """The comments of a file that was read as ``root``."""
    paths = _paths(root, naming)
    inside, ends, blocks = _extents(YAML(typ="safe", pure=True).parse(text))
    found = Comments()
    pending: list[str] = []
    last: Path | None = None
    fold = -1
    for number, line in enumerate(text.splitlines()):
        bare = line.strip()
        if fold >= 0 and (not bare or len(line) - len(line.lstrip()) >= fold):
            continue
        fold = -1
        if number in inside:
            continue
        if not bare or bare.startswith("#"):
            pending.append(bare)
            continue
        path = paths.get(number + 1)
        if path is not None:
            if any(pending):
                found.before[path] = _trimmed(pending) if last is None else pending
            elif pending and last is not None:
                found.before[path] = pending
            pending, last = [], path
        if number in blocks:
            behind = _BLOCK.search(line)
            fold = _block_indent(text, number)
        else:
            behind = _BEHIND.match(line, ends.get(number, 0))
        if behind is not None and last is not None:
            if last in found.behind:
                pending.append(behind[1])
            else:
                found.behind[last] = behind[1]
    found.after = _trimmed(pending[::-1])[::-1]
    return found


def with_comments(lines: Iterable[Line], comments: Comments) -> tuple[str, int]:
    """The lines as a file, with these comments, and how many comments are about what isn't there any more.

    What was said of a part that is gone stands at what it was a part of, as long as that is there.
    """
    kept = list(lines)
    here = {line.path for line in kept}
    before = {path: list(said) for path, said in comments.before.items() if path in here}
    behind = {path: said for path, said in comments.behind.items() if path in here}
    gone = 0
    for path, said in _said_of_gone(comments, here):
        parent = path[:-1]
        while len(parent) > 1 and parent not in here:
            parent = parent[:-1]
        if len(parent) > 1:
            before.setdefault(parent, []).extend(said)
        else:
            gone += len(said)
    out: list[str] = []
    for line in kept:
        space = " " * line.indent
        out += [f"{space}{said}" if said else "" for said in before.get(line.path, ())]
        told = behind.get(line.path)
        out.append(f"{space}{line.text}" + (f"  {told}" if told else ""))
    out += comments.after
    return "\n".join(out) + "\n", gone


def _said_of_gone(comments: Comments, here: set[Path]) -> Iterable[tuple[Path, list[str]]]:
    said: dict[Path, list[str]] = {}
    for path, lines in comments.before.items():
        if path not in here:
            said.setdefault(path, []).extend(line for line in lines if line)
    for path, line in comments.behind.items():
        if path not in here:
            said.setdefault(path, []).append(line)
    return said.items()


def _trimmed(lines: list[str]) -> list[str]:
    """Without blank lines at the beginning."""
    first = next((index for index, line in enumerate(lines) if line), len(lines))
    return lines[first:]


def _paths(root: Node, naming: Naming) -> Mapping[int, Path]:
    """The outermost path that begins in each line."""
    found: dict[int, Path] = {}

    def walk(node: Node, path: Path) -> None:
        if isinstance(node.value, dict):
            for key, value in node.value.items():
                found.setdefault(node.lines[key], (*path, key))
                walk(value, (*path, key))
        elif isinstance(node.value, list):
            for item in node.value:
                name = naming(path, item)
                if name is not None:
                    found.setdefault(item.line, (*path, name))
                    walk(item, (*path, name))

    walk(root, ())
    return found


def _extents(events: Iterable[Event]) -> tuple[set[int], dict[int, int], set[int]]:
    """Lines (from 0) that go on with a quoted or plain scalar, the column behind the last value of each line, and the lines in
    which a block scalar begins."""
    inside: set[int] = set()
    ends: dict[int, int] = {}
    blocks: set[int] = set()
    for event in events:
        start, end = event.start_mark, event.end_mark
        if not isinstance(event, ScalarEvent):
            continue
        if event.style in {"|", ">"}:
            blocks.add(start.line)
            continue
        inside.update(range(start.line + 1, end.line + 1))
        ends[end.line] = max(ends.get(end.line, 0), end.column)
    return inside, ends, blocks


def _block_indent(text: str, number: int) -> int:
    """How far the block scalar that begins in this line is indented."""
    for line in text.splitlines()[number + 1 :]:
        if line.strip():
            return len(line) - len(line.lstrip())
    return 0
