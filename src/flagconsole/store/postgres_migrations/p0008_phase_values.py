"""What a phase's tenants said and measured by themselves, summed up tenant by tenant for the judge."""

from __future__ import annotations

from typing import Final

_NAME = 'text COLLATE "C" NOT NULL'

PHASE_VALUES: Final = (
    f"""
    CREATE TABLE metric_phase_values (
        flag_name {_NAME}, phase_since bigint NOT NULL, metric {_NAME}, kind {_NAME}, group_name {_NAME}, tenant_id {_NAME},
        total double precision NOT NULL, count bigint NOT NULL, newest bigint NOT NULL,
        PRIMARY KEY (flag_name, phase_since, metric, kind, group_name, tenant_id)
    )
    """,
    "CREATE INDEX ON metric_phase_values (newest)",
)
