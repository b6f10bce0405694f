"""Values as YAML that nobody misreads."""

from __future__ import annotations

import json
import re
from typing import Any, Final

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
#: What some reader of YAML takes for something else than text.
_NO_TEXT: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none", "nan", "inf"})


def yaml_value(value: Any) -> str:
    """A value as JSON, which is YAML, but for letters that need an escape of YAML's own."""
    return "".join(map(_letter, json.dumps(value, ensure_ascii=False)))


def yaml_scalar(value: str | int | float | bool | None) -> str:
    """A scalar without quotes where it is one word that every reader takes for text, else as ``yaml_value``."""
    if isinstance(value, str) and _WORD.fullmatch(value) and value.lower() not in _NO_TEXT:
        return value
    return yaml_value(value)


def _letter(letter: str) -> str:
    if letter.isprintable():
        return letter
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
