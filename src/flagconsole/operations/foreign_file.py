"""What the readers of other systems' files share: what became of it, what could not be taken over and why, and names.

Nothing is guessed. A flag that comes in reaches nobody that it didn't reach before: where that isn't sure, it starts off.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from flagconsole.domain.environment import Environment, FlagEntry, OverrideEntry
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.names import is_flag_name
from flagconsole.domain.states import FlagState
from flagconsole.domain.text import safe_text
from flagconsole.operations.strict_yaml import Node, Place, kind_of, parse_yaml
from flagconsole.operations.validation import field_path, problem_of, shown_value

MAX_CHARACTERS: Final = 16 * 1024 * 1024
_TABS: Final = re.compile(r"^[ \t]*\t", re.MULTILINE)
Model = TypeVar("Model", bound=BaseModel)


class Left(NamedTuple):
    """Something that was not taken over: its line, what it is, and why."""

    line: int
    what: str
    why: str


@dataclass(slots=True)
class Imported:
    """The flags and overrides that a foreign file comes to, and what of it was left out."""

    flags: dict[str, FlagEntry] = field(default_factory=dict)
    overrides: list[OverrideEntry] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def leave(self, node: Node, what: str, why: str) -> None:
        """Note what is not taken over."""
        self.left.append(Left(node.line, safe_text(what, 200), why))

    def without(self, names: Collection[str]) -> Imported:
        """The same without these flags and what belongs to them."""
        flags = {name: flag for name, flag in self.flags.items() if name not in names}
        return Imported(flags, [item for item in self.overrides if item.flag_name not in names], self.left)

    def environment(self) -> Environment:
        """As an environment that can be planned and applied."""
        return Environment(flags=tuple(self.flags.values()), overrides=tuple(self.overrides))


@dataclass(frozen=True, slots=True)
class Reading:
    """How a foreign file is to be read: the field of its context that names the tenant, the domain for names that have none,
    and the environment where the file has several."""

    tenant_field: str = "tenantId"
    domain: str | None = None
    environment: str | None = None

    def flag_name(self, name: str) -> str | None:
        """Our name of a foreign flag; None where it can't be one."""
        wanted = name if "." in name or self.domain is None else f"{self.domain}.{name}"
        return wanted if is_flag_name(wanted) else None


NO_NAME: Final = "its name isn't like domain.feature in lower case; name a domain with --domain, or rename it there"
OTHER_HASH: Final = "its hash takes other tenants than ours, so the percentage is kept and the flag starts off"


def read(text: str, place: Place) -> Node:
    """A JSON or YAML file whose root is a mapping. Raises ``InvalidInput`` naming source and line."""
    if text.lstrip().startswith("{"):
        # JSON may be indented by tabs, which YAML is not; no string of JSON goes over the end of a line.
        text = _TABS.sub(lambda found: " " * len(found[0]), text)
    root = parse_yaml(text, place, MAX_CHARACTERS)
    if not isinstance(root.value, dict):
        place.refuse(root.line, "file", "must be a mapping", kind_of(root.value))
    return root


def listed(root: Node, name: str, place: Place) -> list[Node]:
    """The items of a list of mappings; none where it isn't there. Raises ``InvalidInput``."""
    node = root.value.get(name)
    if node is None or node.value is None:
        return []
    if not isinstance(node.value, list):
        place.refuse(root.lines[name], name, "must be a list", kind_of(node.value))
    for index, item in enumerate(node.value):
        if not isinstance(item.value, dict):
            place.refuse(item.line, f"{name}[{index}]", "must be a mapping", kind_of(item.value))
    found: list[Node] = node.value
    return found


def told(node: Node, name: str) -> Any:
    """A scalar of a mapping; None where it isn't there or is none."""
    value = node.value.get(name)
    return None if value is None or isinstance(value.value, dict | list) else value.value


def texts(node: Node | None) -> list[str] | None:
    """The items of a list of texts; None where it isn't one."""
    if node is None or not isinstance(node.value, list):
        return None
    values = [item.value for item in node.value]
    return values if all(isinstance(value, str) for value in values) else None


def entry(node: Node, place: Place, **fields: Any) -> FlagEntry:
    """A flag of these fields. Raises ``InvalidInput`` naming the line where one of them can't be ours."""
    return _valid(FlagEntry, node, place, fields)


def override(node: Node, place: Place, flag_name: str, tenant_id: str, state: FlagState) -> OverrideEntry:
    """A tenant's own state. Raises ``InvalidInput`` naming the line where it can't be ours."""
    return _valid(OverrideEntry, node, place, {"flag_name": flag_name, "tenant_id": tenant_id, "override_state": state})


def _valid(model: type[Model], node: Node, place: Place, fields: dict[str, Any]) -> Model:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{fields['flag_name']}.{field_path(first['loc'])}"
        place.refuse(node.line, where, problem_of(first), shown_value(first.get("input")))


def refuse_twice(imported: Imported, flag_name: str, node: Node, place: Place) -> None:
    """Raise ``InvalidInput`` where the file has the flag already."""
    if flag_name in imported.flags:
        place.refuse(node.line, flag_name, "is there twice", None)


def refuse_empty(imported: Imported, root: Node, place: Place) -> None:
    """Raise ``InvalidInput`` where nothing was found, not even to leave out."""
    if not imported.flags and not imported.left:
        raise InvalidInput(field=f"{place.source} line {root.line}, file", problem="has no flags", value=None)
