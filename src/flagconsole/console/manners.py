"""How the console behaves towards a terminal and its user: from the configuration and the command's options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple


class Manners(NamedTuple):
    """``notes`` (OSC 9) is None where the terminal decides. ``keys`` gives other keys to command ids; ``configuration`` is
    the file that all this comes from."""

    mouse: bool = False
    ascii_only: bool = False
    theme: str | None = None
    slow_link: bool = False
    bell: bool = True
    notes: bool | None = None
    keys: Mapping[str, str | Sequence[str]] = MappingProxyType({})
    configuration: Path | None = None
