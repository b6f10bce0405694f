"""Refusing query parameters that a route doesn't have: a ``?dry_run=true`` that is passed over would change something."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from fastapi import Request

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text


def refuse_unknown_query(request: Request) -> None:
    """Raise ``InvalidInput`` naming the first query parameter that the route doesn't have; to be called when it is known who asks."""
    given = request.query_params.keys()
    known = list(dict.fromkeys(_names(request.scope["route"].dependant))) if given else []
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            there = f"There are {', '.join(known)}." if known else "There are none."
            raise InvalidInput(
                f"Did you mean {close[0]}?" if close else there,
                field=safe_text(name, 100),
                problem="is not a query parameter here",
                value=safe_text(request.query_params[name], 100),
            )


def _names(dependant: Any) -> Iterator[str]:
    """The query parameters of a route and of all that it depends on."""
    for parameter in dependant.query_params:
        yield parameter.alias
    for one in dependant.dependencies:
        yield from _names(one)
