"""Playbooks as files: the three that ship, and those that replace them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.playbook import PLAYBOOK_NAMES, Notice, Playbook, Step, Verification
from flagconsole.domain.text import safe_text
from flagconsole.operations.strict_yaml import Node, Place, kind_of, line_of, parse_yaml, plain
from flagconsole.operations.validation import field_path, problem_of, shown_value

_PARTS: Final[dict[str, type[Step] | type[Notice] | type[Verification]]] = {
    "steps": Step,
    "notices": Notice,
    "verifications": Verification,
}


@cache
def shipped_playbook(name: str) -> Playbook:
    """The playbook of that name that ships with the package."""
    text = files("flagconsole").joinpath("data", "playbooks", f"{name}.yaml").read_text(encoding="utf-8")
    return parse_playbook(text, f"{name}.yaml")


def demo_playbook_texts() -> dict[str, str]:
    """The playbooks in demo time that ship with the package, by file name: what a folder of one's own could hold."""
    folder = files("flagconsole").joinpath("data", "playbooks", "demo")
    return {f"{name}.yaml": folder.joinpath(f"{name}.yaml").read_text(encoding="utf-8") for name in PLAYBOOK_NAMES}


def read_playbooks(own: Iterable[Path] = ()) -> Mapping[str, Playbook]:
    """All playbooks by name: those that ship, each replaced by the one of the same name among the files of one's own.

    Raises ``InvalidInput`` naming file, line and field, also where two files define the same playbook.
    """
    found = {name: shipped_playbook(name) for name in PLAYBOOK_NAMES}
    sources: dict[str, Path] = {}
    for path in own:
        playbook = read_playbook(path)
        if playbook.name in sources:
            raise InvalidInput(
                field=f"{safe_text(path.name, 100)}, name",
                problem=f"is the playbook of {safe_text(sources[playbook.name].name, 100)} already",
                value=playbook.name,
            )
        sources[playbook.name] = path
        found[playbook.name] = playbook
    return found


def playbook_files(folder: Path) -> list[Path]:
    """The playbooks of a folder, by name. Raises ``InvalidInput`` where it isn't one, or holds none."""
    found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if folder.is_dir() else []
    if not found:
        raise InvalidInput(field="playbooks", problem="must be a folder with playbooks as *.yaml", value=str(folder))
    return found


def read_playbook(path: Path) -> Playbook:
    """The playbook in a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = f"can't be read: {safe_text(error, 200)}"
        raise InvalidInput(field="playbooks", problem=problem, value=str(path)) from None
    return parse_playbook(text, path.name)


def parse_playbook(text: str, source: str) -> Playbook:
    """The playbook that ``text`` defines; ``source`` names it in errors.

    Raises ``InvalidInput`` whose ``field`` names source, line and field.
    """
    place = Place(safe_text(source, 100))
    root = parse_yaml(text, place)
    if not isinstance(root.value, dict):
        place.refuse(root.line, "file", "must be a mapping with name, description and steps", kind_of(root.value))
    _refuse_unknown(root, "", list(Playbook.model_fields), place)
    for part, model in _PARTS.items():
        listed = root.value.get(part)
        for index, node in enumerate(listed.value if listed is not None and isinstance(listed.value, list) else ()):
            _check(node, f"{part}[{index}]", model, place)
    try:
        return Playbook.model_validate(plain(root))
    except ValidationError as error:
        first = error.errors()[0]
        location = first["loc"] or ("name",)
        line = line_of(root, str(location[0]), location[1:])
        place.refuse(line, field_path(location), problem_of(first), shown_value(first.get("input")))


def _check(node: Node, path: str, model: type[Step | Notice | Verification], place: Place) -> None:
    """Refuse one item by the line of its own field, which the whole playbook's error couldn't name."""
    if not isinstance(node.value, dict):
        place.refuse(node.line, path, "must be a mapping", kind_of(node.value))
    _refuse_unknown(node, f"{path}.", list(model.model_fields), place)
    try:
        model.model_validate(plain(node))
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:
            place.refuse(node.line, path, problem_of(first), shown_value(plain(node).get("name")))
        line = line_of(node, str(first["loc"][0]), first["loc"][1:])
        place.refuse(line, f"{path}.{field_path(first['loc'])}", problem_of(first), shown_value(first.get("input")))


def _refuse_unknown(node: Node, path: str, known: list[str], place: Place) -> None:
    for key in node.value:
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; fields are {', '.join(known)}"
            place.refuse(node.lines[key], f"{path}{key}", f"is not a field here{hint}", key)
