"""Catalogues: files that define flags. Written by a person and read once, so every mistake is named by line and field."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from typing import Final

from pydantic import ValidationError

from flagconsole.domain.flag import FlagDefinition
from flagconsole.domain.requests import FlagCreate
from flagconsole.domain.text import safe_text
from flagconsole.operations.strict_yaml import Node, Place, kind_of, line_of, parse_yaml, plain
from flagconsole.operations.validation import field_path, problem_of, shown_value

#: The catalogues that ship with the package.
SHIPPED: Final = ("thorbis",)

#: How a catalogue names a flag's fields, where that isn't the field's own name.
_FIELDS: Final = {"name": "flag_name", "type": "flag_type"} | {
    name: name for name in FlagDefinition.model_fields if name not in {"flag_name", "flag_type"}
}
_WRITTEN: Final = {field_name: written for written, field_name in _FIELDS.items()}


def shipped_catalogue(name: str) -> list[FlagCreate]:
    """A catalogue that ships with the package, such as ``thorbis``."""
    text = files("flagconsole").joinpath("data", "catalogue", f"{name}.yaml").read_text(encoding="utf-8")
    return parse_catalogue(text, f"the shipped catalogue {name}")


def parse_catalogue(text: str, source: str) -> list[FlagCreate]:
    """The flags that ``text`` defines; ``source`` names it in errors.

    Raises ``InvalidInput`` whose ``field`` names source, line and field.
    """
    place = Place(safe_text(source, 100))
    root = parse_yaml(text, place)
    if not isinstance(root.value, dict):
        place.refuse(root.line, "file", "must be a mapping with the list flags", kind_of(root.value))
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


def _flag(node: Node, path: str, place: Place) -> FlagCreate:
    if not isinstance(node.value, dict):
        place.refuse(node.line, path, "must be a mapping with name, type and the like", kind_of(node.value))
    for key in node.value:
        if key not in _FIELDS:
            place.refuse(node.lines[key], f"{path}.{key}", f"is not a field of a flag{_did_you_mean(key)}", key)
    if "name" not in node.value:
        place.refuse(node.line, f"{path}.name", "is missing", None)
    fields = {_FIELDS[key]: plain(value) for key, value in node.value.items()}
    try:
        return FlagCreate.model_validate(fields | {"change_reason": f"loaded from {place.source}"})
    except ValidationError as error:
        first = error.errors()[0]
        top = _WRITTEN.get(str(first["loc"][0]), str(first["loc"][0])) if first["loc"] else "name"
        line = line_of(node, top, first["loc"][1:])
        where = f"{path}.{field_path((top, *first['loc'][1:]))}"
        place.refuse(line, where, problem_of(first), shown_value(first.get("input")))


def _did_you_mean(key: str) -> str:
    close = get_close_matches(key.removeprefix("flag_"), _FIELDS, n=1)
    return f"; did you mean {close[0]}?" if close else f"; fields are {', '.join(_FIELDS)}"
