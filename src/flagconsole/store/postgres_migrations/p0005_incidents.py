"""Incidents, runs of playbooks with their steps, and the outbox; what the columns mean is said in the embedded store's."""

from __future__ import annotations

from typing import Final

INCIDENTS: Final = (
    """
    CREATE TABLE incidents (
        incident_id text COLLATE "C" PRIMARY KEY,
        number bigint NOT NULL UNIQUE,
        flag_name text COLLATE "C" NOT NULL,
        open bigint NOT NULL,
        waiting bigint NOT NULL,
        touched bigint NOT NULL,
        body text NOT NULL
    )
    """,
    "CREATE INDEX ON incidents (flag_name, number)",
    "CREATE INDEX ON incidents (touched)",
    "CREATE INDEX waiting_incidents ON incidents (number) WHERE waiting = 1",
    """
    CREATE TABLE playbook_runs (
        run_id text COLLATE "C" PRIMARY KEY,
        incident_id text COLLATE "C" NOT NULL,
        flag_name text COLLATE "C" NOT NULL,
        status text NOT NULL,
        frozen bigint,
        body text NOT NULL,
        rowid bigint GENERATED ALWAYS AS IDENTITY
    )
    """,
    "CREATE INDEX ON playbook_runs (incident_id)",
    """
    CREATE UNIQUE INDEX one_active_playbook_run ON playbook_runs (flag_name)
    WHERE status IN ('pending', 'running', 'stopped')
    """,
    """
    CREATE TABLE playbook_steps (
        run_id text COLLATE "C" NOT NULL,
        step text COLLATE "C" NOT NULL,
        ordinal bigint NOT NULL,
        status text NOT NULL,
        body text NOT NULL,
        PRIMARY KEY (run_id, step)
    )
    """,
    """
    CREATE TABLE outbox (
        delivery_id text COLLATE "C" PRIMARY KEY,
        incident_id text COLLATE "C" NOT NULL,
        status text NOT NULL,
        next_try_at text COLLATE "C" NOT NULL,
        body text NOT NULL
    )
    """,
    "CREATE INDEX ON outbox (status, next_try_at)",
    "CREATE INDEX ON outbox (incident_id)",
)
