"""Requests that the second person declined."""

from __future__ import annotations

from typing import Final

DECLINED_APPROVALS: Final = tuple(
    f"ALTER TABLE approvals ADD COLUMN {column} text" for column in ("declined_by", "declined_at", "decline_reason")
)
