"""Catalogues: files that define flags, as YAML 1.2 or JSON, which is a part of it.

A catalogue is written by a person and read once, so every mistake is named with its line and field. Plain scalars are JSON
values where they look like one (``30``, ``true``, ``null``) and strings otherwise: ``on``, ``no`` and ``1e3.2`` stay text.
Anchors, aliases, tags and duplicate keys are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.resources import files
from typing import Any, Final, NoReturn

from pydantic import ValidationError
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
from flagconsole.domain.flag import FlagDefinition
from flagconsole.domain.requests import FlagCreate
from flagconsole.domain.text import safe_text
from flagconsole.operations.validation import field_path, problem_of, shown_value

MAX_CHARACTERS: Final = 1024 * 1024
MAX_DEPTH: Final = 16
#: The catalogues that ship with the package.
SHIPPED: Final = ("thorbis",)

#: How a catalogue names a flag's fields, where that isn't the field's own name.
_FIELDS: Final = {"name": "flag_name", "type": "flag_type"} | {
    name: name for name in FlagDefinition.model_fields if name not in {"flag_name", "flag_type"}
}
_WRITTEN: Final = {field_name: written for written, field_name in _FIELDS.items()}
_JSON_SCALAR: Final = re.compile(r"true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(slots=True)
class _Node:
    """A value of the file with the line (from 1) it begins in; ``lines`` of a mapping are those of its keys."""

    value: Any
    line: int
    lines: dict[str, int] = field(default_factory=dict)


def shipped_catalogue(name: str) -> list[FlagCreate]:
    """A catalogue that ships with the package, such as ``thorbis``."""
    text = files("flagconsole").joinpath("data", "catalogue", f"{name}.yaml").read_text(encoding="utf-8")
    return parse_catalogue(text, f"{name}.yaml")


def parse_catalogue(text: str, source: str) -> list[FlagCreate]:
    """The flags that ``text`` defines; ``source`` names it in errors.

    Raises ``InvalidInput`` whose ``field`` names source, line and field.
    """
    place = _Place(safe_text(source, 100))
    if len(text) > MAX_CHARACTERS:
        place.refuse(1, "file", f"must have at most {MAX_CHARACTERS} characters", len(text))
    root = _tree(text, place)
    if not isinstance(root.value, dict):
        place.refuse(root.line, "file", "must be a mapping with the list flags", _kind(root.value))
    for key in root.value:
        if key != "flags":
            place.refuse(root.lines[key], key, "is not a field of a catalogue; the only one is flags", key)
    listed = root.value.get("flags")
    if listed is None or not isinstance(listed.value, list) or not listed.value:
        place.refuse(root.line, "flags", "must be a list of at least one flag", None if listed is None else "no list")
    first_line: dict[str, int] = {}
    flags = []
    for index, node in enumerate(listed.value):
        flag = _flag(node, f"flags[{index}]", place)
        if flag.flag_name in first_line:
            problem = f"is defined in line {first_line[flag.flag_name]} already"
            place.refuse(node.line, f"flags[{index}].name", problem, flag.flag_name)
        first_line[flag.flag_name] = node.line
        flags.append(flag)
    return flags


def _flag(node: _Node, path: str, place: _Place) -> FlagCreate:
    if not isinstance(node.value, dict):
        place.refuse(node.line, path, "must be a mapping with name, type and the like", _kind(node.value))
    for key in node.value:
        if key not in _FIELDS:
            place.refuse(node.lines[key], f"{path}.{key}", f"is not a field of a flag{_did_you_mean(key)}", key)
    if "name" not in node.value:
        place.refuse(node.line, f"{path}.name", "is missing", None)
    fields = {_FIELDS[key]: _plain(value) for key, value in node.value.items()}
    try:
        return FlagCreate.model_validate(fields | {"change_reason": f"loaded from {place.source}"})
    except ValidationError as error:
        first = error.errors()[0]
        top = _WRITTEN.get(str(first["loc"][0]), str(first["loc"][0])) if first["loc"] else "name"
        line = _line_of(node, top, first["loc"][1:])
        where = f"{path}.{field_path((top, *first['loc'][1:]))}"
        place.refuse(line, where, problem_of(first), shown_value(first.get("input")))


def _line_of(node: _Node, top: str, rest: tuple[int | str, ...]) -> int:
    """The line of an item where the problem is one of a list's, else that of the field."""
    value = node.value.get(top)
    if value is None:
        return node.line
    if rest and isinstance(rest[0], int) and isinstance(value.value, list) and rest[0] < len(value.value):
        line: int = value.value[rest[0]].line
        return line
    return node.lines[top]


def _did_you_mean(key: str) -> str:
    close = get_close_matches(key.removeprefix("flag_"), _FIELDS, n=1)
    return f"; did you mean {close[0]}?" if close else f"; fields are {', '.join(_FIELDS)}"


def _plain(node: _Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(value) for key, value in node.value.items()}
    return [_plain(item) for item in node.value] if isinstance(node.value, list) else node.value


def _kind(value: object) -> str | int | float | bool | None:
    return "a list" if isinstance(value, list) else "a mapping" if isinstance(value, dict) else shown_value(value)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where errors point to."""

    source: str

    def refuse(self, line: int, path: str, problem: str, value: object) -> NoReturn:
        where = f"{self.source} line {line}, {safe_text(path, 200)}"
        raise InvalidInput(field=where, problem=problem, value=value) from None


def _tree(text: str, place: _Place) -> _Node:
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

    def __init__(self, events: Iterator[Event], place: _Place) -> None:
        self._events = events
        self._place = place

    def document(self) -> _Node:
        root: _Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    self._place.refuse(_line(event), "file", "must hold one document", None)
                root = self._node(next(self._events), 0)
        return _Node(None, 1) if root is None else root

    def _node(self, event: Event, depth: int) -> _Node:
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
            return _Node(items, line)
        assert isinstance(event, ScalarEvent)
        return _Node(_scalar(event), line)

    def _mapping(self, line: int, depth: int) -> _Node:
        node = _Node({}, line)
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._node(event, depth + 1)
            name = event.value if isinstance(event, ScalarEvent) else None
            if not isinstance(name, str):
                self._place.refuse(key.line, "file", "must have strings as keys", _kind(key.value))
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
