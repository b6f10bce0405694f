"""Days and moments that somebody wrote down. A bare number is neither: 0 would be a day in 1970, and what expires then is over."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator


def _day(value: Any) -> Any:
    if isinstance(value, (int, float)) or (isinstance(value, str) and "-" not in value.lstrip("-")):
        raise ValueError("must be a day such as 2027-01-31")
    return value


def _moment(value: Any) -> Any:
    if isinstance(value, (int, float)) or (isinstance(value, str) and "-" not in value.lstrip("-")):
        raise ValueError("must be a time such as 2027-01-31T17:00:00Z")
    return value


WrittenDay = Annotated[date, BeforeValidator(_day)]
WrittenMoment = Annotated[AwareDatetime, BeforeValidator(_moment)]
