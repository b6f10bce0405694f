"""Validations: the checks that a shadow execution runs, and how they went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple

#: Takes nothing; says that all is well with None or True, and what is wrong with False, a text, ``ValueError`` or ``AssertionError``.
Check = Callable[[], object]
#: By name, or named after themselves.
Validators = Mapping[str, Check] | Iterable[Check]


class Validation(NamedTuple):
    """How one check went. ``problem`` stays in the process."""

    name: str
    passed: bool
    problem: str = ""


def named(validators: Validators) -> list[tuple[str, Check]]:
    """The checks with their names."""
    if isinstance(validators, Mapping):
        return [(str(name), check) for name, check in validators.items()]
    return [(_name(check, number), check) for number, check in enumerate(validators, 1)]


def judged(name: str, answer: object) -> Validation:
    """What a check's answer means."""
    if answer is None or answer is True:
        return Validation(name, True)
    return Validation(name, False, answer if isinstance(answer, str) else "said no")


def failed(name: str, error: Exception) -> Validation:
    """What a check's ``ValueError`` or ``AssertionError`` means."""
    return Validation(name, False, str(error) or type(error).__name__)


def _name(check: Check, number: int) -> str:
    name = getattr(check, "__name__", "")
    return name if name and name != "<lambda>" else f"validation_{number}"


async def awaited(answer: object) -> object:
    """``answer``, awaited where it has to be."""
    return await answer if isinstance(answer, Awaitable) else answer
