"""What is known of tenants, cohorts that were drawn from them, and who a drawn cohort left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0002_tenant_profiles(db: Database) -> None:
    tenants = db.table("tenants")
    for column, kind in {
        "users": int,
        "size": str,
        "industry": str,
        "region": str,
        "risk_score": float,
        "engagement_score": float,
        "beta_participant": int,
        "timezone": str,
        "transaction_volume": float,
        "tickets_90d": int,
        "last_escalation_on": str,
        "open_escalation": int,
        "custom_configuration": str,
        "blackouts": str,
    }.items():
        tenants.add_column(column, kind)
    # Null for a cohort by hash or chosen by hand, else a JSON list.
    db.table("feature_flags").add_column("canary_holdout_ids", str)
    db.table("cohorts").create(
        {
            "cohort_id": int,
            "flag_name": str,
            "percentage": int,
            "seed": int,
            "algorithm": int,
            "population_digest": str,
            "drawn_at": str,
            "drawn_by": str,
            "change_id": int,
            "selection": str,
        },
        pk="cohort_id",
        not_null={"flag_name", "percentage", "seed", "algorithm", "population_digest", "drawn_at", "drawn_by"},
    )
    db.table("cohorts").create_index(["flag_name", "cohort_id"])
