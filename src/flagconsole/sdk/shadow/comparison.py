"""Old and new side by side: what differs, field by field.

A field's name is its path, with ``[]`` for the place in a list, so that a list of a thousand lines has one field ``lines[].total``.
Of each kind of difference in each field one sample is kept, as the service's ``redact`` writes it; without one a sample says only
what it was (``text of 12``, ``number``), since values are a customer's.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from enum import StrEnum
from typing import Any, Final, NamedTuple

from flagconsole.sdk.shadow_log import MAX_SAMPLE, one_line

#: Kinds of differences kept for each execution, values looked at, and how deep.
MAX_DIFFERENCES: Final = 20
MAX_VALUES: Final = 5000
MAX_DEPTH: Final = 20
#: The whole result, where it isn't made of fields.
WHOLE: Final = "result"
#: A key that is data rather than the name of a field.
_ANY_KEY: Final = "*"
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}")

#: Writes a value of a field so that it may leave the process.
Redact = Callable[[str, Any], str]


class DifferenceKind(StrEnum):
    """``missing``: only the old one has the field. ``extra``: only the new one. ``type``: it is of another kind. ``value``: it is
    another. ``length``: a list has another length. ``error``: one failed, or they failed differently. ``uncomparable``: comparing
    raised."""

    MISSING = "missing"
    EXTRA = "extra"
    TYPE = "type"
    VALUE = "value"
    LENGTH = "length"
    ERROR = "error"
    UNCOMPARABLE = "uncomparable"


class Difference(NamedTuple):
    """One kind of difference in one field. The samples are redacted; None where there is no value."""

    field: str
    kind: DifferenceKind
    old: str | None = None
    new: str | None = None


class Failure(NamedTuple):
    """A result that is none: what was raised, by the class's name."""

    error: str


class _Absent:
    """Stands for a field that isn't there."""


_ABSENT: Final = _Absent()


def shape(field: str, value: Any) -> str:
    """A sample without its value: the redaction where the service gives none."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return f"text of {len(value)}"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, Mapping | Sequence | Set):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__


class Comparison:
    """How results are compared. ``ignore`` names fields that may differ (``id``, ``lines[].id``), ``tolerance`` is how far numbers
    may be apart relative to the larger, and ``redact(field, value)`` writes a sample; what it raises leaves the sample out."""

    def __init__(self, *, ignore: Iterable[str] = (), tolerance: float = 0.0, redact: Redact = shape) -> None:
        self._ignore = frozenset(ignore)
        self._tolerance = tolerance
        self._redact = redact

    def differences(self, old: Any, new: Any) -> tuple[Difference, ...]:
        """What differs; nothing where all is the same. Never raises."""
        found: dict[tuple[str, DifferenceKind], Difference] = {}
        try:
            for field, kind, one, other in self._walk("", old, new, _Allowance()):
                if (field, kind) not in found and field not in self._ignore:
                    found[field, kind] = Difference(field, kind, self._sample(field, one), self._sample(field, other))
                    if len(found) >= MAX_DIFFERENCES:
                        break
        except Exception:  # a stranger's __eq__ or attribute may do anything
            found[WHOLE, DifferenceKind.UNCOMPARABLE] = Difference(WHOLE, DifferenceKind.UNCOMPARABLE)
        return tuple(found.values())

    def _sample(self, field: str, value: Any) -> str | None:
        if value is _ABSENT:
            return None
        if isinstance(value, Failure):
            return one_line(value.error, MAX_SAMPLE)
        try:
            return one_line(str(self._redact(field, value)), MAX_SAMPLE)
        except Exception:  # better no sample than one that wasn't redacted
            return None

    def _walk(self, path: str, old: Any, new: Any, left: _Allowance) -> Iterator[tuple[str, DifferenceKind, Any, Any]]:
        name = path or WHOLE
        if name in self._ignore or not left.one_more():
            return
        if isinstance(old, Failure) or isinstance(new, Failure):
            if old != new:
                yield name, DifferenceKind.ERROR, old, new
            return
        old, new = _plain(old), _plain(new)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self._mappings(path, old, new, left)
        elif _is_list(old) and _is_list(new):
            if len(old) != len(new):
                yield name, DifferenceKind.LENGTH, old, new
            with left.deeper() as allowed:
                if allowed:
                    for one, other in zip(old, new, strict=False):
                        yield from self._walk(f"{path}[]", one, other, left)
        elif _kind(old) is not _kind(new):
            yield name, DifferenceKind.TYPE, old, new
        elif not self._equal(old, new):
            yield name, DifferenceKind.VALUE, old, new

    def _mappings(
        self, path: str, old: Mapping[Any, Any], new: Mapping[Any, Any], left: _Allowance
    ) -> Iterator[tuple[str, DifferenceKind, Any, Any]]:
        with left.deeper() as allowed:
            if not allowed:
                return
            for key in [*old, *(key for key in new if key not in old)]:
                field = f"{path}.{_key(key)}" if path else _key(key)
                if key not in new:
                    yield field, DifferenceKind.MISSING, old[key], _ABSENT
                elif key not in old:
                    yield field, DifferenceKind.EXTRA, _ABSENT, new[key]
                else:
                    yield from self._walk(field, old[key], new[key], left)

    def _equal(self, old: Any, new: Any) -> bool:
        if isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new):
            return True
        if bool(old == new):
            return True
        if self._tolerance and _kind(old) is float:
            return math.isclose(old, new, rel_tol=self._tolerance)
        return False


class _Allowance:
    """Bounds a walk, which may be through something endless."""

    def __init__(self) -> None:
        self._values = MAX_VALUES
        self._depth = MAX_DEPTH

    def one_more(self) -> bool:
        self._values -= 1
        return self._values >= 0

    def deeper(self) -> _Allowance:
        return self

    def __enter__(self) -> bool:
        self._depth -= 1
        return self._depth >= 0

    def __exit__(self, *_: object) -> None:
        self._depth += 1


def _plain(value: Any) -> Any:
    """Records as mappings of their fields."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    dump = getattr(value, "model_dump", None)
    return dump() if callable(dump) and not isinstance(value, type) else value


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _kind(value: Any) -> type:
    """What counts as the same type: a number is a number."""
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else type(value)


def _key(key: Any) -> str:
    """A key as a part of a field's name; one that is data, such as an e-mail address, is not shown."""
    return key if isinstance(key, str) and _FIELD.fullmatch(key) else _ANY_KEY
