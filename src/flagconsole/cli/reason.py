"""The reason of a change, given as a word behind the arguments or with ``--reason``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

#: What the log says where runbooks may leave the reason out.
NO_REASON: Final = "no reason given"


def with_reason(command: F) -> F:
    """Adds ``REASON`` and ``--reason``; the command gets what was given as ``reason``."""

    @wraps(command)
    def call(*args: Any, words: tuple[str, ...], reason: str | None, **kwargs: Any) -> Any:
        return command(*args, reason=one_reason(words, reason), **kwargs)

    option = click.option("--reason", metavar="TEXT", help="Why; the same as REASON.")
    return click.argument("words", metavar="REASON", nargs=-1)(option(call))  # type: ignore[return-value]


def one_reason(words: Sequence[str], option: str | None, default: str | None = None) -> str:
    """The reason; both where runbooks give both. Raises a usage error for none (without a ``default``), and for several unquoted words."""
    if len(words) > 1:
        raise click.UsageError(f"put the reason in quotes: {' '.join(words)!r}", click.get_current_context())
    told = [reason for reason in (*words, option) if reason is not None and reason.strip()]
    given = "; ".join(dict.fromkeys(told)) or (words[0] if words else option)
    if given is None:
        given = default
    if given is None or not given.strip():
        raise click.UsageError("a reason is needed, in quotes: it goes into the log", click.get_current_context())
    return given
