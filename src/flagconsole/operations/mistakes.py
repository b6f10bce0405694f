"""What is wrong with a file, gathered while it is read, so that its author is told of all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text
from flagconsole.operations.strict_yaml import Node, Place, kind_of, line_of, plain
from flagconsole.operations.validation import field_path, problem_of, shown_value

#: Mistakes that are told besides the first.
MOST: Final = 20

Model = TypeVar("Model", bound=BaseModel)


class Mistakes:
    """Those of one file, in the order of its lines."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.found: list[tuple[int, InvalidInput]] = []

    def note(self, line: int, path: str, problem: str, value: object) -> None:
        """One more, of the field ``path`` in ``line``."""
        self.found.append((line, self.place.mistake(line, path, problem, value)))

    def tell(self) -> None:
        """Raise the first by line, with the others as ``also`` in its details; nothing where there is none."""
        if not self.found:
            return
        first, *others = (error for _, error in sorted(self.found, key=lambda one: one[0]))
        if others:
            first.details["also"] = [str(other) for other in others[:MOST]]
            if len(others) > MOST:
                first.details["also"].append(f"and {len(others) - MOST} more")
        raise first

    @contextmanager
    def part(self, line: int) -> Iterator[None]:
        """Note what a part that begins in ``line`` raises, and go on behind it."""
        try:
            yield
        except InvalidInput as error:
            self.found.append((line, error))

    def mapping(self, node: Node, path: str) -> dict[str, Node]:
        """The items of a mapping; none, and a mistake, where it isn't one."""
        if isinstance(node.value, dict):
            return node.value
        self.note(node.line, path, "must be a mapping", kind_of(node.value))
        return {}

    def fields(self, node: Node, path: str, known: tuple[str, ...]) -> dict[str, Node]:
        """The items of a mapping whose keys are ``known``; every other is a mistake."""
        found: dict[str, Node] = {}
        for key, item in self.mapping(node, path).items():
            if key in known:
                found[key] = item
                continue
            close = get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"fields are {', '.join(known)}"
            where = f"{path}.{safe_text(key, 60)}"
            self.note(node.lines[key], where, f"is not a field here; {hint}", kind_of(plain(item)))
        return found

    def checked(self, work: Callable[[], object], line: int, path: str) -> None:
        """Do something that raises where the field ``path`` in ``line`` is wrong."""
        try:
            work()
        except ValidationError as error:
            self.note(line, path, problem_of(error.errors()[0]), None)
        except ValueError as error:
            self.note(line, path, safe_text(error, 300), None)

    def valid(
        self, model: type[Model], fields: dict[str, Any], node: Node, path: str, besides: str | None = None
    ) -> Model | None:
        """The model of these fields; None where they aren't valid. What is wrong with the field ``besides`` isn't noted: it is
        known already."""
        try:
            return model.model_validate(fields)
        except ValidationError as error:
            for item in error.errors():
                location = item["loc"]
                if location and location[0] == besides:
                    continue
                self._note_item(node, path, location, item)
        return None

    def _note_item(self, node: Node, path: str, location: tuple[int | str, ...], item: Any) -> None:
        in_node = bool(location) and isinstance(node.value, dict) and str(location[0]) in node.value
        line = line_of(node, str(location[0]), location[1:]) if in_node else node.line
        where = field_path((path, *location)) if path else field_path(location or ("plan",))
        value = None if not location else shown_value(item.get("input"))
        self.note(line, where, problem_of(item), value)
