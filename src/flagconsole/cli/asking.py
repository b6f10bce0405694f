"""Building requests from what was typed."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from flagconsole.operations.validation import invalid_input

M = TypeVar("M", bound=BaseModel)


def ask(model: type[M], **fields: Any) -> M:
    """A request of these fields. Raises ``InvalidInput`` naming field, problem and value."""
    try:
        return model(**fields)
    except ValidationError as error:
        raise invalid_input(error) from None
