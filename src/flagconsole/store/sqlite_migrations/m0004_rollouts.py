"""Rollouts with their steps, verdicts and judge states; leases; checklists."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0004_rollouts(db: Database) -> None:
    """What the controller recomputes everything from."""
    db.table("rollouts").create(
        {"rollout_id": str, "flag_name": str, "status": str, "started_at": str, "body": str},
        pk="rollout_id",
        not_null={"flag_name", "status", "body"},
    )
    # A flag has one rollout under way at most, whoever starts it.
    db.execute(
        "CREATE UNIQUE INDEX one_active_rollout ON rollouts (flag_name) WHERE status IN ('running', 'rolling_back')"
    )
    db.table("rollouts").create_index(["flag_name", "started_at"])
    db.table("rollout_steps").create(
        {"rollout_id": str, "step": str, "at": str, "by": str, "change_id": int, "note": str},
        pk=("rollout_id", "step"),
    )
    db.table("verdicts").create(
        {"verdict_id": int, "rollout_id": str, "flag_name": str, "at": str, "kind": str, "body": str},
        pk="verdict_id",
    )
    db.table("verdicts").create_index(["rollout_id", "verdict_id"])
    db.table("verdicts").create_index(["flag_name", "verdict_id"])
    db.table("judge_states").create({"rollout_id": str, "phase": str, "body": bytes}, pk=("rollout_id", "phase"))
    db.table("leases").create({"name": str, "holder": str, "epoch": int, "expires_at": str}, pk="name")
    db.table("checklists").create(
        {"flag_name": str, "item": str, "ticked_by": str, "ticked_at": str, "note": str}, pk=("flag_name", "item")
    )
