"""Incidents, runs of playbooks and the outbox in the embedded store."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from flagconsole.domain.errors import PlaybookUnderWay
from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook_run import Delivery, DeliveryStatus, PlaybookRun, StepRecord
from flagconsole.store.rows import timestamp

_ACTIVE_RUNS = "SELECT body FROM playbook_runs WHERE status IN ('pending', 'running', 'stopped')"


class SqliteIncidentReader:
    """Reading, on a connection that has a transaction open."""

    _connection: sqlite3.Connection

    async def incident_count(self) -> int:
        count: int = self._connection.execute("SELECT coalesce(max(number), 0) FROM incidents").fetchone()[0]
        return count

    async def incident(self, incident_id: str) -> Incident | None:
        row = self._connection.execute("SELECT body FROM incidents WHERE incident_id = ?", (incident_id,)).fetchone()
        return None if row is None else Incident.model_validate_json(row["body"])

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> list[Incident]:
        sql = "SELECT body FROM incidents WHERE open >= ? AND (? IS NULL OR flag_name = ?) ORDER BY number DESC LIMIT ?"
        found = self._connection.execute(sql, (int(open_only), flag_name, flag_name, limit))
        return [Incident.model_validate_json(row["body"]) for row in found]

    async def incident_under_way(self, flag_name: str) -> Incident | None:
        sql = "SELECT body FROM incidents WHERE waiting = 1 AND flag_name = ? ORDER BY number DESC"
        for row in self._connection.execute(sql, (flag_name,)):
            incident = Incident.model_validate_json(row["body"])
            if incident.completed_at is None and incident.tenant_id is None:
                return incident
        return None

    async def waiting_incidents(self, limit: int) -> list[Incident]:
        found = self._connection.execute(
            "SELECT body FROM incidents WHERE waiting = 1 ORDER BY number LIMIT ?", (limit,)
        )
        return [Incident.model_validate_json(row["body"]) for row in found]

    async def incidents_touched_after(self, touched: int, limit: int) -> list[tuple[int, Incident]]:
        sql = "SELECT touched, body FROM incidents WHERE touched > ? ORDER BY touched LIMIT ?"
        found = self._connection.execute(sql, (touched, limit))
        return [(row["touched"], Incident.model_validate_json(row["body"])) for row in found]

    async def incidents_touched(self) -> int:
        touched: int = self._connection.execute("SELECT coalesce(max(touched), 0) FROM incidents").fetchone()[0]
        return touched

    async def tenant_names(self) -> dict[str, str]:
        return {row[0]: row[1] for row in self._connection.execute("SELECT tenant_id, name FROM tenants")}

    async def active_runs(self) -> list[PlaybookRun]:
        found = self._connection.execute(f"{_ACTIVE_RUNS} ORDER BY rowid")
        return [PlaybookRun.model_validate_json(row["body"]) for row in found]

    async def active_run(self, flag_name: str) -> PlaybookRun | None:
        row = self._connection.execute(f"{_ACTIVE_RUNS} AND flag_name = ?", (flag_name,)).fetchone()
        return None if row is None else PlaybookRun.model_validate_json(row["body"])

    async def run(self, run_id: str) -> PlaybookRun | None:
        row = self._connection.execute("SELECT body FROM playbook_runs WHERE run_id = ?", (run_id,)).fetchone()
        return None if row is None else PlaybookRun.model_validate_json(row["body"])

    async def runs_of(self, incident_id: str) -> list[PlaybookRun]:
        sql = "SELECT body FROM playbook_runs WHERE incident_id = ? ORDER BY rowid"
        return [PlaybookRun.model_validate_json(row["body"]) for row in self._connection.execute(sql, (incident_id,))]

    async def steps_of(self, run_id: str) -> list[StepRecord]:
        sql = "SELECT body FROM playbook_steps WHERE run_id = ? ORDER BY ordinal"
        return [StepRecord.model_validate_json(row["body"]) for row in self._connection.execute(sql, (run_id,))]

    async def deliveries_of(self, incident_id: str) -> list[Delivery]:
        sql = "SELECT body FROM outbox WHERE incident_id = ? ORDER BY next_try_at, delivery_id"
        return [Delivery.model_validate_json(row["body"]) for row in self._connection.execute(sql, (incident_id,))]

    async def due_deliveries(self, now: datetime, limit: int) -> list[Delivery]:
        sql = "SELECT body FROM outbox WHERE status = ? AND next_try_at <= ? ORDER BY next_try_at, delivery_id LIMIT ?"
        found = self._connection.execute(sql, (DeliveryStatus.WAITING.value, timestamp(now), limit))
        return [Delivery.model_validate_json(row["body"]) for row in found]


class SqliteIncidentTransaction(SqliteIncidentReader):
    """Writing, inside ``BEGIN IMMEDIATE``."""

    async def save_incident(self, incident: Incident) -> None:
        self._connection.execute(
            "INSERT INTO incidents (incident_id, number, flag_name, open, waiting, touched, body) "
            "SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, coalesce(max(touched), 0) + 1, ? FROM incidents WHERE true "
            "ON CONFLICT (incident_id) DO UPDATE SET "
            "open = excluded.open, waiting = excluded.waiting, touched = excluded.touched, body = excluded.body",
            (
                incident.incident_id,
                incident.flag_name,
                int(incident.open),
                int(incident.waiting),
                incident.model_dump_json(),
            ),
        )

    async def save_run(self, run: PlaybookRun) -> None:
        values = (run.run_id, run.incident_id, run.flag_name, run.status.value, int(run.frozen), run.model_dump_json())
        try:
            self._connection.execute(
                "INSERT INTO playbook_runs (run_id, incident_id, flag_name, status, frozen, body) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET "
                "status = excluded.status, frozen = excluded.frozen, body = excluded.body",
                values,
            )
        except sqlite3.IntegrityError:
            raise PlaybookUnderWay(flag=run.flag_name) from None
        self._touch(run.incident_id)

    async def save_step(self, step: StepRecord) -> None:
        self._connection.execute(
            "INSERT INTO playbook_steps (run_id, step, ordinal, status, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (run_id, step) DO UPDATE SET status = excluded.status, body = excluded.body",
            (step.run_id, step.step, step.ordinal, step.status.value, step.model_dump_json()),
        )
        self._connection.execute(
            "UPDATE incidents SET touched = (SELECT max(touched) + 1 FROM incidents) "
            "WHERE incident_id = (SELECT incident_id FROM playbook_runs WHERE run_id = ?)",
            (step.run_id,),
        )

    async def enqueue(self, delivery: Delivery) -> bool:
        added = self._connection.execute(
            "INSERT OR IGNORE INTO outbox (delivery_id, incident_id, status, next_try_at, body) VALUES (?, ?, ?, ?, ?)",
            _outbox_row(delivery),
        ).rowcount
        self._touch(delivery.incident_id)
        return added == 1

    async def save_delivery(self, delivery: Delivery) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO outbox (delivery_id, incident_id, status, next_try_at, body) "
            "VALUES (?, ?, ?, ?, ?)",
            _outbox_row(delivery),
        )
        self._touch(delivery.incident_id)

    def _touch(self, incident_id: str) -> None:
        self._connection.execute(
            "UPDATE incidents SET touched = (SELECT max(touched) + 1 FROM incidents) WHERE incident_id = ?",
            (incident_id,),
        )


def _outbox_row(delivery: Delivery) -> tuple[str, str, str, str, str]:
    return (
        delivery.delivery_id,
        delivery.incident_id,
        delivery.status.value,
        timestamp(delivery.next_try_at),
        delivery.model_dump_json(),
    )
