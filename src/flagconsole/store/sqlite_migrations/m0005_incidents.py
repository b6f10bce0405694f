"""Incidents, runs of playbooks with their steps, and the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def m0005_incidents(db: Database) -> None:
    """``waiting`` is 1 while an open incident isn't restored or its tenants aren't counted. ``touched`` counts up with every write that concerns an incident, so that what is new can be read by number."""
    db.table("incidents").create(
        {"incident_id": str, "number": int, "flag_name": str, "open": int, "waiting": int, "touched": int, "body": str},
        pk="incident_id",
        not_null={"number", "flag_name", "open", "touched", "body"},
    )
    db.table("incidents").create_index(["number"], unique=True)
    db.table("incidents").create_index(["flag_name", "number"])
    db.table("incidents").create_index(["touched"])
    db.execute("CREATE INDEX waiting_incidents ON incidents (number) WHERE waiting = 1")
    db.table("playbook_runs").create(
        {"run_id": str, "incident_id": str, "flag_name": str, "status": str, "frozen": int, "body": str},
        pk="run_id",
        not_null={"incident_id", "flag_name", "status", "body"},
    )
    db.table("playbook_runs").create_index(["incident_id"])
    # A flag has one run under way at most, whoever starts it.
    db.execute(
        "CREATE UNIQUE INDEX one_active_playbook_run ON playbook_runs (flag_name) "
        "WHERE status IN ('pending', 'running', 'stopped')"
    )
    db.table("playbook_steps").create(
        {"run_id": str, "step": str, "ordinal": int, "status": str, "body": str},
        pk=("run_id", "step"),
        not_null={"ordinal", "status", "body"},
    )
    db.table("outbox").create(
        {"delivery_id": str, "incident_id": str, "status": str, "next_try_at": str, "body": str},
        pk="delivery_id",
        not_null={"incident_id", "status", "next_try_at", "body"},
    )
    db.table("outbox").create_index(["status", "next_try_at"])
    db.table("outbox").create_index(["incident_id"])
