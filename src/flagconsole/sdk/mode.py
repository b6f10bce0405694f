"""How a feature runs for one operation."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from flagconsole.domain.states import FlagState


class Mode(StrEnum):
    """``enabled``: for real. ``shadow``: read-only, beside the old way. ``disabled``: not at all."""

    ENABLED = "enabled"
    SHADOW = "shadow"
    DISABLED = "disabled"


_MODES: Final = {
    FlagState.ON: Mode.ENABLED,
    FlagState.CANARY: Mode.ENABLED,
    FlagState.SHADOW: Mode.SHADOW,
}


def mode_of(state: FlagState) -> Mode:
    """The mode that an effective state means."""
    return _MODES.get(state, Mode.DISABLED)
