"""YAML 1.2 (and JSON, a part of it) as people write it and machines misread it, read strictly and with line numbers.

Every mistake is named with its line and field. Plain scalars are JSON values where they look like one (``30``, ``true``,
``null``) and strings otherwise: ``on``, ``no`` and ``1e3.2`` stay text. Anchors, aliases, tags and duplicate keys are
refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text
from flagconsole.operations.validation import shown_value

MAX_CHARACTERS: Final = 1024 * 1024
MAX_DEPTH: Final = 16
_JSON_SCALAR: Final = re.compile(r"true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(slots=True)
class Node:
    """A value of the file with the line (from 1) it begins in; ``lines`` of a mapping are those of its keys."""

    value: Any
    line: int
    lines: dict[str, int] = field(default_factory=dict)


def line_of(node: Node, top: str, rest: tuple[int | str, ...]) -> int:
    """The line of an item where the problem is one of a list's, else that of the field."""
    value = node.value.get(top)
    if value is None:
        return node.line
    if rest and isinstance(rest[0], int) and isinstance(value.value, list) and rest[0] < len(value.value):
        line: int = value.value[rest[0]].line
        return line
    return node.lines[top]


def plain(node: Node) -> Any:
    """The value of a node without its lines."""
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    return [plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def kind_of(value: object) -> str | int | float | bool | None:
    """A value as an error shows it: a list and a mapping by name only."""
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else shown_value(value)


@dataclass(frozen=True, slots=True)
class Place:
    """Where errors point to."""

    source: str

    def refuse(self, line: int, path: str, problem: str, value: object) -> NoReturn:
        """Raise ``InvalidInput`` for the field ``path`` in ``line``."""
        raise self.mistake(line, path, problem, value) from None

    def mistake(self, line: int, path: str, problem: str, value: object) -> InvalidInput:
        """The error for the field ``path`` in ``line``; a ``value`` of None, where none was refused, isn't shown."""
        where = f"{self.source} line {line}, {safe_text(path, 200)}"
        error = InvalidInput(field=where, problem=problem, value=value)
        if value is None:
            error.message = f"{where}: {problem}."
        return error


def parse_yaml(text: str, place: Place, limit: int = MAX_CHARACTERS) -> Node:
    """The one document of ``text``, which has at most ``limit`` characters. Raises ``InvalidInput`` naming source and line."""
    if len(text) > limit:
        place.refuse(1, "file", f"must have at most {limit} characters", len(text))
    try:
        events = YAML(typ="safe", pure=True).parse(text)
        return _Tree(iter(events), place).document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 1 if mark is None else mark.line + 1
        place.refuse(line, "file", f"is not YAML: {safe_text(error.problem or 'it ends too early', 200)}", None)
    except YAMLError as error:
        place.refuse(1, "file", f"is not YAML: {safe_text(error, 200)}", None)


class _Tree:
    """Builds nodes from the parser's events, so that nothing is resolved, merged or constructed on the way."""

    def __init__(self, events: Iterator[Event], place: Place) -> None:
        self._events = events
        self._place = place

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    self._place.refuse(_line(event), "file", "must hold one document", None)
                root = self._node(next(self._events), 0)
        return Node(None, 1) if root is None else root

    def _node(self, event: Event, depth: int) -> Node:
        line = _line(event)
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, AliasEvent) or anchor is not None:
            self._place.refuse(line, "file", "must not use anchors or aliases; write the value out", anchor)
        if tag is not None:
            self._place.refuse(line, "file", "must not use tags", str(tag))
        if depth > MAX_DEPTH:
            self._place.refuse(line, "file", f"must not nest deeper than {MAX_DEPTH} levels", None)
        if isinstance(event, MappingStartEvent):
            return self._mapping(line, depth)
        if isinstance(event, SequenceStartEvent):
            items = []
            while not isinstance(item := next(self._events), SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            return Node(items, line)
        assert isinstance(event, ScalarEvent)
        return Node(_scalar(event), line)

    def _mapping(self, line: int, depth: int) -> Node:
        node = Node({}, line)
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._node(event, depth + 1)
            name = event.value if isinstance(event, ScalarEvent) else None
            if not isinstance(name, str):
                self._place.refuse(key.line, "file", "must have strings as keys", kind_of(key.value))
            if name in node.value:
                self._place.refuse(key.line, name, f"is a duplicate key (first in line {node.lines[name]})", name)
            node.value[name] = self._node(next(self._events), depth + 1)
            node.lines[name] = key.line
        return node


def _scalar(event: ScalarEvent) -> str | int | float | bool | None:
    text: str = event.value
    if event.style is not None or _JSON_SCALAR.fullmatch(text) is None:
        return None if event.style is None and text == "" else text
    if len(text) > 40:
        return text
    value: int | float | bool | None = json.loads(text)
    return value


def _line(event: Event) -> int:
    line: int = event.start_mark.line
    return line + 1
