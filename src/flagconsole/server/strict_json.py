"""JSON from outside, read strictly: what two parsers could read differently is refused."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from flagconsole.domain.errors import MalformedBody

MAX_DEPTH: Final = 32
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(body: bytes) -> Any:
    """The value of a JSON text. Raises ``MalformedBody`` for duplicate keys, NaN and Infinity, NUL, lone surrogates, text
    that isn't UTF-8, numbers too large to keep, and nesting deeper than ``MAX_DEPTH``."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedBody(problem="it isn't UTF-8") from None
    _refuse_depth(text)
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except MalformedBody:
        raise
    except (ValueError, RecursionError) as error:
        detail = f"{error.msg} at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "unreadable"
        raise MalformedBody(problem=detail) from None
    _refuse_characters(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise MalformedBody(problem=f"the key {key[:100]!r} is there twice")
        result[key] = value
    return result


def _constant(name: str) -> NoReturn:
    raise MalformedBody(problem=f"{name} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise MalformedBody(problem="a number is too large")
    return value


def _refuse_depth(text: str) -> None:
    """Count brackets outside strings before the recursive parser sees them."""
    depth, in_string, escaped = 0, False, False
    for char in text if text.count("[") + text.count("{") > MAX_DEPTH else ():
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise MalformedBody(problem=f"it is nested deeper than {MAX_DEPTH} levels")
        elif char in "]}":
            depth -= 1


def _refuse_characters(value: Any) -> None:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending.extend(item)
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, str):
            if "\0" in item:
                raise MalformedBody(problem="a text contains NUL")
            if _SURROGATE.search(item):
                raise MalformedBody(problem="a text contains a lone surrogate")
