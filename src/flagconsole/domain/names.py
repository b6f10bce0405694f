"""What may be a name: flags, tenants, reasons, instances. Refused input is named with its field, value and what is right."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

FLAG_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}(\.[a-z0-9][a-z0-9_-]{0,62}){1,3}$"
_FLAG_NAME = re.compile(FLAG_NAME_PATTERN)


def clean_text(value: str) -> str:
    """``value`` unchanged, or ``ValueError`` when it is blank or holds NUL, other control characters or lone surrogates."""
    if not value.strip():
        raise ValueError("must not be blank")
    for char in value:
        if (char < " " and char not in "\n\t") or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff":
            raise ValueError(f"must not contain the control character U+{ord(char):04X}")
    return value


def single_line(value: str) -> str:
    """``clean_text`` that also refuses line breaks and tabs."""
    if "\n" in value or "\t" in value:
        raise ValueError("must be a single line")
    return clean_text(value)


def is_flag_name(value: str) -> bool:
    """Whether ``value`` is a flag name of the form ``domain.feature``."""
    return len(value) <= 128 and _FLAG_NAME.fullmatch(value) is not None


def domain_of(flag_name: str) -> str:
    """The domain part of a flag name: ``invoices`` of ``invoices.write``."""
    return flag_name.partition(".")[0]


FlagName = Annotated[str, Field(min_length=3, max_length=128, pattern=FLAG_NAME_PATTERN, examples=["invoices.write"])]
TenantId = Annotated[str, Field(min_length=1, max_length=128, examples=["tenant-0042"]), AfterValidator(single_line)]
ReasonText = Annotated[
    str, Field(min_length=1, max_length=1000, examples=["error rate above 2 %"]), AfterValidator(clean_text)
]
Label = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(single_line)]
ActorName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(single_line)]
ChangeId = Annotated[int, Field(ge=1, le=2**63 - 1)]
