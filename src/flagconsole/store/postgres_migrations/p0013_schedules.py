"""Scheduled changes with their steps; notifications, and how far each subscription was told."""

from __future__ import annotations

from typing import Final

SCHEDULES: Final = (
    """
    CREATE TABLE schedules (
        schedule_id text COLLATE "C" PRIMARY KEY,
        flag_name text COLLATE "C" NOT NULL,
        status text NOT NULL,
        created_at text COLLATE "C" NOT NULL,
        body text NOT NULL
    )
    """,
    "CREATE INDEX ON schedules (status)",
    "CREATE INDEX ON schedules (flag_name)",
    """
    CREATE TABLE schedule_steps (
        schedule_id text COLLATE "C" NOT NULL,
        step text COLLATE "C" NOT NULL,
        at text,
        by text,
        note text,
        rowid bigint GENERATED ALWAYS AS IDENTITY,
        PRIMARY KEY (schedule_id, step)
    )
    """,
    """
    CREATE TABLE notifications (
        notification_id text COLLATE "C" PRIMARY KEY,
        number bigint NOT NULL UNIQUE,
        subscription text COLLATE "C" NOT NULL,
        flag_name text COLLATE "C" NOT NULL,
        status text COLLATE "C" NOT NULL,
        next_try_at text COLLATE "C" NOT NULL,
        body text NOT NULL
    )
    """,
    "CREATE INDEX ON notifications (status, subscription, flag_name, number)",
    'CREATE TABLE notification_cursors (subscription text COLLATE "C" PRIMARY KEY, change_id bigint)',
)
