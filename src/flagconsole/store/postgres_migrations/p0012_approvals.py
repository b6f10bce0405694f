"""Requests that wait for a second person, and the log's word of who allowed what."""

from __future__ import annotations

from typing import Final

APPROVALS: Final = (
    """
    CREATE TABLE approvals (
        approval_id text COLLATE "C" PRIMARY KEY,
        fingerprint text COLLATE "C" NOT NULL,
        operation text NOT NULL,
        flag_name text NOT NULL,
        request text NOT NULL,
        requested_by text NOT NULL,
        requested_key text,
        requested_at text COLLATE "C" NOT NULL,
        ends_at text NOT NULL,
        approved_by text,
        approved_at text,
        used_at text
    )
    """,
    "CREATE INDEX ON approvals (fingerprint)",
    "CREATE INDEX ON approvals (requested_at)",
    "ALTER TABLE flag_change_log ADD COLUMN approved_by text",
)
