"""What pydantic says about bad input, as the error that names field, problem and value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.names import FLAG_NAME_PATTERN
from flagconsole.domain.text import safe_text


def invalid_input(error: ValidationError) -> InvalidInput:
    """The first thing that is wrong; the others follow in the hint."""
    first, *others = error.errors()
    also = "; ".join(f"{field_path(item['loc'])}: {problem_of(item)}" for item in others[:4])
    return InvalidInput(
        f"Also {also}." if also else "",
        field=field_path(first["loc"]),
        problem=problem_of(first),
        value=shown_value(first.get("input")),
    )


def field_path(location: Iterable[int | str]) -> str:
    """Where the problem is: ``canary_tenant_ids[3]``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return safe_text(path or "value", 200)


def problem_of(item: Mapping[str, Any]) -> str:
    """What is wrong with the field, beginning in lower case so that it can follow the field's name."""
    if item.get("type") == "string_pattern_mismatch" and item.get("ctx", {}).get("pattern") == FLAG_NAME_PATTERN:
        return "must be like domain.feature: lower-case letters, digits, _ and -, in 2 to 4 parts"
    message = str(item.get("msg", "is not valid")).removeprefix("Value error, ")
    message = message.replace("Input should", "must").replace("String should", "must").replace("Tuple should", "must")
    return safe_text(message[:1].lower() + message[1:], 300)


def shown_value(value: object) -> str | int | float | bool | None:
    """The refused value, or only its kind where it is not a plain one."""
    if isinstance(value, str):
        return safe_text(value, 100)
    return value if isinstance(value, int | float | bool | None) else type(value).__name__
