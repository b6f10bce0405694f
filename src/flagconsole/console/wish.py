"""What a screen shows beyond what the stream brings. Light, since every screen names it."""

from __future__ import annotations

from typing import NamedTuple

from flagconsole.console.metric_windows import USUAL_WINDOW


class Wish(NamedTuple):
    """What a screen shows beyond what the stream brings. ``window`` is in seconds."""

    flag_name: str | None = None
    window: int = USUAL_WINDOW
    story: bool = False
    incident_id: str | None = None
    oversight: bool = False
