"""Plans that an environment keeps by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0016_plans(db: Database) -> None:
    """A row for each version; the newest counts, and one without an entry is a plan that was removed."""
    columns = {
        "plan_name": str,
        "version": int,
        "entry": str,
        "change_reason": str,
        "changed_by": str,
        "changed_at": str,
        "revision": int,
        "correlation_id": str,
    }
    needed = columns.keys() - {"entry", "correlation_id"}
    db.table("rollout_plans").create(columns, pk=("plan_name", "version"), not_null=needed)
