"""Admin's rights that were taken for a time, and the log's mark of what was done with them."""

from __future__ import annotations

from typing import Final

BREAK_GLASS: Final = (
    """
    CREATE TABLE break_glass (
        grant_id text COLLATE "C" PRIMARY KEY,
        key_id text COLLATE "C" NOT NULL,
        taken_by text NOT NULL,
        reason text NOT NULL,
        began_at text COLLATE "C" NOT NULL,
        ends_at text COLLATE "C" NOT NULL,
        ended_at text,
        reviewed_at text,
        reviewed_by text,
        review_note text
    )
    """,
    "CREATE INDEX ON break_glass (key_id, ends_at)",
    """
    CREATE TABLE break_glass_deeds (
        grant_id text COLLATE "C" NOT NULL,
        number bigint NOT NULL,
        at text NOT NULL,
        operation text NOT NULL,
        call text NOT NULL,
        PRIMARY KEY (grant_id, number)
    )
    """,
    'ALTER TABLE flag_change_log ADD COLUMN break_glass text COLLATE "C"',
    "CREATE INDEX ON flag_change_log (break_glass) WHERE break_glass IS NOT NULL",
)
