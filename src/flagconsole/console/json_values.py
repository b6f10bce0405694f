"""Values out of the API's JSON, of which none can hurt: what isn't of the expected kind gives the harmless value."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite

from flagconsole.console.rows import Json


def number(value: object) -> float | None:
    """``value`` as a number that can be shown and drawn; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def whole(value: object) -> int:
    """``value`` as a whole number, 0 for all else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def whole_or_none(value: object) -> int | None:
    """``value`` as a whole number; None for all else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def object_of(value: object) -> Json:
    """``value`` as an object, an empty one for all else."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> Sequence[object]:
    """``value`` as a list, an empty one for all else."""
    return value if isinstance(value, list | tuple) else ()


def objects_of(value: object) -> list[Json]:
    """The objects in a list; what else is in it is left out."""
    return [item for item in list_of(value) if isinstance(item, Mapping)]


def json_object(text: str) -> Json:
    """The object that ``text`` spells in JSON, an empty one for all else."""
    try:
        return object_of(json.loads(text))
    except (ValueError, RecursionError):
        return {}
