"""What was measured: per tenant and per group, custom metrics, critical errors, feedback, and which batches were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_TALLY = {
    "operations": int,
    "successes": int,
    "errors": int,
    "critical_errors": int,
    "conversions": int,
    "timed": int,
    "latency_seconds": float,
    "latency": bytes,
}
_BUCKET = {"bucket_start": int, "bucket_seconds": int}


def m0003_metrics(db: Database) -> None:
    db.table("feature_usage_log").create(
        {"flag_name": str, "tenant_id": str, "group_name": str, **_BUCKET, **_TALLY},
        pk=("flag_name", "bucket_start", "bucket_seconds", "tenant_id", "group_name"),
    )
    db.table("metric_groups").create(
        {"flag_name": str, "group_name": str, **_BUCKET, **_TALLY},
        pk=("flag_name", "bucket_start", "bucket_seconds", "group_name"),
    )
    db.table("metric_values").create(
        {"flag_name": str, "group_name": str, "metric": str, "kind": str, **_BUCKET, "total": float, "count": int},
        pk=("flag_name", "bucket_start", "bucket_seconds", "group_name", "metric", "kind"),
    )
    for table in ("feature_usage_log", "metric_groups", "metric_values"):
        db.table(table).create_index(["bucket_seconds", "bucket_start"])
    db.table("metric_criticals").create(
        {
            "flag_name": str,
            "tenant_id": str,
            "group_name": str,
            "fingerprint": str,
            "window_start": int,
            "critical_errors": int,
        },
        pk=("flag_name", "window_start", "tenant_id", "group_name", "fingerprint"),
    )
    db.table("metric_criticals").create_index(["window_start"])
    db.table("metric_feedback").create(
        {
            "feedback_id": int,
            "flag_name": str,
            "tenant_id": str,
            "group_name": str,
            "metric": str,
            "kind": str,
            "value": float,
            "occurred_at": int,
        },
        pk="feedback_id",
    )
    db.table("metric_feedback").create_index(["flag_name", "occurred_at"])
    db.table("metric_feedback").create_index(["occurred_at"])
    db.table("metric_batches").create({"batch_id": str, "expires_at": int}, pk="batch_id")
    db.table("metric_batches").create_index(["expires_at"])
