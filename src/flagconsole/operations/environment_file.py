"""Environments as files: read strictly, and written so that the same store always gives the same text.

A catalogue is such a file too: its flags name no state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from flagconsole.domain.environment import Environment, FlagEntry, OverrideEntry
from flagconsole.domain.stored_plan import PlanEntry
from flagconsole.domain.text import safe_text
from flagconsole.operations.plan_document import document_of
from flagconsole.operations.plan_file import plan_of
from flagconsole.operations.strict_yaml import Node, Place, kind_of, line_of, parse_yaml, plain
from flagconsole.operations.validation import field_path, problem_of, shown_value
from flagconsole.operations.yaml_comments import Comments, Line, Path, comments_of, with_comments
from flagconsole.operations.yaml_text import yaml_scalar, yaml_value

#: Cohorts of tens of thousands of tenants fit in.
MAX_CHARACTERS: Final = 16 * 1024 * 1024
#: How a file names a flag's fields, in the order in which they are written.
FLAG_FIELDS: Final = {
    "name": "flag_name",
    "type": "flag_type",
    "description": "description",
    "state": "current_state",
    "percentage": "canary_percentage",
    "tenant_ids": "canary_tenant_ids",
    "holdout_ids": "canary_holdout_ids",
    "default_state": "default_state",
    "dependencies": "dependencies",
    "affects": "affects",
    "owner": "owner",
    "tags": "tags",
    "expires_on": "expires_on",
    "plan": "plan",
    "rollback_time_seconds": "rollback_time_seconds",
    "is_kill_switch": "is_kill_switch",
}
OVERRIDE_FIELDS: Final = {
    "flag": "flag_name",
    "tenant": "tenant_id",
    "state": "override_state",
    "reason": "override_reason",
    "expires_at": "expires_at",
}
#: Fields that may say that there is nothing. Of all others, what isn't said is left out.
MAY_BE_NULL: Final = frozenset({"expires_on", "expires_at", "holdout_ids"})
_ROOT: Final = ("flags", "overrides", "plans")
#: States are words here, as in every file of ours, also ``on`` and ``off``.
_WORDS: Final = frozenset({"state", "default_state"})
Model = TypeVar("Model", bound=BaseModel)


def parse_environment(text: str, source: str) -> Environment:
    """The environment that ``text`` names; ``source`` names it in errors.

    Raises ``InvalidInput`` whose ``field`` names source, line and field.
    """
    place = Place(safe_text(source, 100))
    root = parse_yaml(text, place, MAX_CHARACTERS)
    _refuse_unknown(root, "", _ROOT, place)
    if not root.value:
        place.refuse(root.line, "file", "must have the list flags, or the list overrides", None)
    fields: dict[str, Any] = {}
    if "flags" in root.value:
        nodes = _items(root, "flags", place)
        fields["flags"] = tuple(_entry(FlagEntry, FLAG_FIELDS, node, path, place) for path, node in nodes)
    if "overrides" in root.value:
        nodes = _items(root, "overrides", place)
        fields["overrides"] = tuple(_entry(OverrideEntry, OVERRIDE_FIELDS, node, path, place) for path, node in nodes)
    if "plans" in root.value:
        fields["plans"] = tuple(_plan(node, path, place) for path, node in _items(root, "plans", place))
    try:
        return Environment.model_validate(fields)
    except ValidationError as error:
        place.refuse(root.line, "file", problem_of(error.errors()[0]), None)


def dump_environment(environment: Environment, existing: str | None = None, source: str = "file") -> tuple[str, int]:
    """The environment as a file, with the comments of the ``existing`` one, and how many of those are about what is gone.

    Raises ``InvalidInput`` where the existing one is no YAML.
    """
    comments = Comments()
    if existing is not None and existing.strip():
        root = parse_yaml(existing, Place(safe_text(source, 100)), MAX_CHARACTERS)
        comments = comments_of(existing, root, _name_of)
    return with_comments(_lines(environment), comments)


def _plan(node: Node, path: str, place: Place) -> PlanEntry:
    if not isinstance(node.value, dict):
        place.refuse(node.line, path, "must be a mapping", kind_of(node.value))
    found = plan_of(node, place)
    return PlanEntry(plan=found.plan, flags=found.flags)


def _items(root: Node, name: str, place: Place) -> list[tuple[str, Node]]:
    listed = root.value[name]
    if not isinstance(listed.value, list):
        place.refuse(root.lines[name], name, "must be a list", kind_of(listed.value))
    return [(f"{name}[{index}]", node) for index, node in enumerate(listed.value)]


def _entry(model: type[Model], fields: Mapping[str, str], node: Node, path: str, place: Place) -> Model:
    _refuse_unknown(node, f"{path}.", tuple(fields), place)
    written = {field: name for name, field in fields.items()}
    for key, value in node.value.items():
        if value.value is None and key not in MAY_BE_NULL:
            place.refuse(node.lines[key], f"{path}.{key}", "must not be null; leave it out to keep it", None)
    try:
        return model.model_validate({fields[key]: plain(value) for key, value in node.value.items()})
    except ValidationError as error:
        first = error.errors()[0]
        top = written.get(str(first["loc"][0]), str(first["loc"][0])) if first["loc"] else next(iter(fields))
        where = f"{path}.{field_path((top, *first['loc'][1:]))}"
        if first["type"] == "missing":
            place.refuse(node.line, where, "is missing", None)
        place.refuse(line_of(node, top, first["loc"][1:]), where, problem_of(first), shown_value(first.get("input")))


def _refuse_unknown(node: Node, path: str, known: tuple[str, ...], place: Place) -> None:
    if not isinstance(node.value, dict):
        place.refuse(node.line, path.rstrip(".") or "file", "must be a mapping", kind_of(node.value))
    for key in node.value:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"fields are {', '.join(known)}"
            place.refuse(node.lines[key], f"{path}{safe_text(key, 60)}", f"is not a field here; {hint}", None)


def _name_of(path: Path, item: Node) -> str | None:
    """What comments know an item of a list by."""
    if isinstance(item.value, dict):
        named = {key: value.value for key, value in item.value.items()}
        if path == ("flags",):
            return str(named.get("name"))
        if path == ("overrides",):
            return _override_name(str(named.get("flag")), str(named.get("tenant")))
        # A plan and its phases have names; a limit is known by its words.
        return str(named.get("name") or named.get("limit"))
    return None if isinstance(item.value, list) else str(item.value)


def _override_name(flag_name: str, tenant_id: str) -> str:
    return f"{flag_name}\0{tenant_id}"


def _lines(environment: Environment) -> Iterator[Line]:
    yield from _listed("flags", FLAG_FIELDS, environment.flags)
    yield from _listed("overrides", OVERRIDE_FIELDS, environment.overrides)
    yield Line(("plans",), 0, "plans:" if environment.plans else "plans: []")
    if environment.plans:
        yield from _nested(("plans",), 2, [document_of(entry) for entry in environment.plans])


def _nested(path: Path, indent: int, value: Any) -> Iterator[Line]:
    """A mapping or list with all that is in it, where it begins in a line of its own."""
    if isinstance(value, dict):
        for name, item in value.items():
            here = (*path, name)
            key = name if name == yaml_scalar(name) else yaml_value(name)
            if isinstance(item, dict | list) and item:
                yield Line(here, indent, f"{key}:")
                yield from _nested(here, indent + 2, item)
            else:
                yield Line(
                    here, indent, f"{key}: {yaml_value(item) if isinstance(item, dict | list) else yaml_scalar(item)}"
                )
        return
    for item in value:
        if not isinstance(item, dict):
            yield Line((*path, str(item)), indent, f"- {yaml_scalar(item)}")
            continue
        here = (*path, str(item.get("name") or item.get("limit")))
        first, *rest = _nested(here, indent + 2, item)
        yield Line(here, indent, f"- {first.text}")
        yield from rest


def _listed(
    section: str, fields: Mapping[str, str], entries: tuple[FlagEntry, ...] | tuple[OverrideEntry, ...]
) -> Iterator[Line]:
    yield Line((section,), 0, f"{section}:" if entries else f"{section}: []")
    for entry in entries:
        told = entry.model_dump(mode="json", exclude_unset=True)
        name = entry.flag_name if isinstance(entry, FlagEntry) else _override_name(entry.flag_name, entry.tenant_id)
        path = (section, name)
        for index, (written, field) in enumerate((key, field) for key, field in fields.items() if field in told):
            here = path if index == 0 else (*path, written)
            first, *rest = _field(here, written, told[field])
            yield first._replace(indent=2, text=f"- {first.text}") if index == 0 else first
            yield from rest


def _field(path: Path, name: str, value: Any) -> Iterator[Line]:
    if not isinstance(value, list) or not value:
        text = yaml_value(value) if isinstance(value, list) else value if name in _WORDS else yaml_scalar(value)
        yield Line(path, 4, f"{name}: {text}")
        return
    yield Line(path, 4, f"{name}:")
    for item in value:
        yield Line((*path, str(item)), 6, f"- {yaml_scalar(item)}")
