"""Keys may end by themselves, and know who ended them and what follows them."""

from __future__ import annotations

from typing import Final

KEY_ENDS: Final = tuple(
    f"ALTER TABLE api_keys ADD COLUMN {column} text" for column in ("expires_at", "replaced_by", "revoked_by")
)
