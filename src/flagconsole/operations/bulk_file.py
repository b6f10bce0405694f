"""Files of changes for ``bulk-set``: YAML or JSON, with every mistake named by line and field."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from pydantic import ValidationError

from flagconsole.domain.bulk import BulkItem, BulkSet
from flagconsole.domain.text import safe_text
from flagconsole.operations.strict_yaml import Node, Place, kind_of, line_of, parse_yaml, plain
from flagconsole.operations.validation import field_path, problem_of, shown_value

_ROOT: Final = ("reason", "flags")
#: How a file names a flag's fields.
FIELDS: Final = {
    "name": "flag_name",
    "state": "current_state",
    "percentage": "canary_percentage",
    "tenant_ids": "canary_tenant_ids",
    "reason": "change_reason",
    "version": "version",
    "description": "description",
    "owner": "owner",
    "tags": "tags",
    "expires_on": "expires_on",
    "dependencies": "dependencies",
    "type": "flag_type",
    "default_state": "default_state",
    "affects": "affects",
    "plan": "plan",
    "rollback_time_seconds": "rollback_time_seconds",
    "is_kill_switch": "is_kill_switch",
}
_WRITTEN: Final = {field_name: written for written, field_name in FIELDS.items()}


def parse_bulk(text: str, source: str, reason: str | None = None) -> BulkSet:
    """The changes that ``text`` asks for; ``reason`` replaces the file's own, ``source`` names it in errors.

    Raises ``InvalidInput`` whose ``field`` names source, line and field.
    """
    place = Place(safe_text(source, 100))
    root = parse_yaml(text, place)
    _fields(root, "", _ROOT, place)
    listed = root.value.get("flags")
    if listed is None or not isinstance(listed.value, list) or not listed.value:
        line = root.lines.get("flags", root.line)
        found = None if listed is None else "an empty list" if listed.value == [] else kind_of(listed.value)
        place.refuse(line, "flags", "must be a list of at least one flag, each with its name and state", found)
    items = tuple(_item(node, f"flags[{index}]", place) for index, node in enumerate(listed.value))
    said = reason if reason is not None else plain(root).get("reason")
    if said is None:
        place.refuse(root.line, "reason", "is missing: say why, here or with --reason", None)
    try:
        return BulkSet.model_validate({"change_reason": said, "changes": items})
    except ValidationError as error:
        first = error.errors()[0]
        line = root.lines.get("reason", root.line) if first["loc"][:1] == ("change_reason",) else listed.line
        where = "reason" if first["loc"][:1] == ("change_reason",) else "flags"
        place.refuse(line, where, problem_of(first), None)


def _item(node: Node, path: str, place: Place) -> BulkItem:
    _fields(node, f"{path}.", tuple(FIELDS), place)
    if "name" not in node.value:
        place.refuse(node.line, f"{path}.name", "is missing", None)
    try:
        return BulkItem.model_validate({FIELDS[key]: plain(value) for key, value in node.value.items()})
    except ValidationError as error:
        first = error.errors()[0]
        top = _WRITTEN.get(str(first["loc"][0]), str(first["loc"][0])) if first["loc"] else "name"
        line = line_of(node, top, first["loc"][1:])
        where = f"{path}.{field_path((top, *first['loc'][1:]))}"
        place.refuse(line, where, problem_of(first), shown_value(first.get("input")))


def _fields(node: Node, path: str, known: tuple[str, ...], place: Place) -> None:
    if not isinstance(node.value, dict):
        place.refuse(node.line, path.rstrip(".") or "file", "must be a mapping", kind_of(node.value))
    for key in node.value:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"fields are {', '.join(known)}"
            place.refuse(node.lines[key], f"{path}{safe_text(key, 60)}", f"is not a field here; {hint}", None)
