"""What is new about rollouts can be read by number."""

from __future__ import annotations

from typing import Final

TOUCHED_ROLLOUTS: Final = (
    "ALTER TABLE rollouts ADD COLUMN touched bigint NOT NULL DEFAULT 0",
    "CREATE INDEX ON rollouts (touched)",
)
