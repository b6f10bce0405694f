"""What a phase's tenants said and measured by themselves, summed up tenant by tenant for the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0008_phase_values(db: Database) -> None:
    db.table("metric_phase_values").create(
        {
            "flag_name": str,
            "phase_since": int,
            "metric": str,
            "kind": str,
            "group_name": str,
            "tenant_id": str,
            "total": float,
            "count": int,
            "newest": int,
        },
        pk=("flag_name", "phase_since", "metric", "kind", "group_name", "tenant_id"),
    )
    db.table("metric_phase_values").create_index(["newest"])
