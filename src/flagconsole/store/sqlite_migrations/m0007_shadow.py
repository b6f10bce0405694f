"""What shadow executions came to, what they showed, and one sample of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_BUCKET = {"bucket_start": int, "bucket_seconds": int}


def m0007_shadow(db: Database) -> None:
    """``shadow_newest`` keeps the end of the newest bucket as it was reported, which is finer than what is kept."""
    db.table("shadow_executions").create(
        {
            "flag_name": str,
            "tenant_id": str,
            "execution_type": str,
            **_BUCKET,
            "executions": int,
            "successes": int,
            "errors": int,
            "skipped": int,
            "seconds": float,
            "compared": int,
            "consistent": int,
            "live_seconds": float,
            "intents": int,
            "invalid_intents": int,
            "database": int,
            "http": int,
            "notification": int,
            "function": int,
        },
        pk=("flag_name", "bucket_start", "bucket_seconds", "tenant_id", "execution_type"),
    )
    finding = {"flag_name": str, "finding": str, "name": str, "detail": str}
    db.table("shadow_findings").create(
        {**finding, **_BUCKET, "times": int},
        pk=("flag_name", "bucket_start", "bucket_seconds", "finding", "name", "detail"),
    )
    for table in ("shadow_executions", "shadow_findings"):
        db.table(table).create_index(["bucket_seconds", "bucket_start"])
    db.table("shadow_samples").create(
        {**finding, "old": str, "new": str, "at": int}, pk=("flag_name", "finding", "name", "detail")
    )
    db.table("shadow_samples").create_index(["at"])
    db.table("shadow_newest").create({"flag_name": str, "at": int}, pk="flag_name")
