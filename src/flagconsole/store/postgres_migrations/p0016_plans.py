"""Plans that an environment keeps by name."""

from __future__ import annotations

from typing import Final

PLANS: Final = (
    """
    CREATE TABLE rollout_plans (
        plan_name text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        entry text,
        change_reason text NOT NULL,
        changed_by text NOT NULL,
        changed_at text NOT NULL,
        revision bigint NOT NULL,
        correlation_id text,
        PRIMARY KEY (plan_name, version)
    )
    """,
)
