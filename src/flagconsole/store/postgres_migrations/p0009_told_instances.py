"""Clients that can't confirm are kept with what they were told."""

from __future__ import annotations

from typing import Final

TOLD_INSTANCES: Final = ("ALTER TABLE instances ADD COLUMN told_revision bigint",)
