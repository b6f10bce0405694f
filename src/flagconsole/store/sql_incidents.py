"""Incidents, runs of playbooks and the outbox in a store."""

from __future__ import annotations

from datetime import datetime

from flagconsole.domain.errors import PlaybookUnderWay
from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook_run import Delivery, DeliveryStatus, PlaybookRun, StepRecord
from flagconsole.store.rows import timestamp
from flagconsole.store.session import ConstraintViolated, Session, insert

RUN_IS_ACTIVE = "status IN ('pending', 'running', 'stopped')"
_ACTIVE_RUNS = f"SELECT body FROM playbook_runs WHERE {RUN_IS_ACTIVE}"


class SqlIncidentReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def incident_count(self) -> int:
        row = await self._session.one("SELECT coalesce(max(number), 0) FROM incidents")
        return 0 if row is None else int(row[0])

    async def incident(self, incident_id: str) -> Incident | None:
        row = await self._session.one("SELECT body FROM incidents WHERE incident_id = ?", incident_id)
        return None if row is None else Incident.model_validate_json(row["body"])

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> list[Incident]:
        only, values = ("", ()) if flag_name is None else (" AND flag_name = ?", (flag_name,))
        sql = f"SELECT body FROM incidents WHERE open >= ?{only} ORDER BY number DESC LIMIT ?"
        found = await self._session.all(sql, int(open_only), *values, limit)
        return [Incident.model_validate_json(row["body"]) for row in found]

    async def incident_under_way(self, flag_name: str) -> Incident | None:
        sql = "SELECT body FROM incidents WHERE waiting = 1 AND flag_name = ? ORDER BY number DESC"
        for row in await self._session.all(sql, flag_name):
            incident = Incident.model_validate_json(row["body"])
            if incident.completed_at is None and incident.tenant_id is None:
                return incident
        return None

    async def waiting_incidents(self, limit: int) -> list[Incident]:
        found = await self._session.all("SELECT body FROM incidents WHERE waiting = 1 ORDER BY number LIMIT ?", limit)
        return [Incident.model_validate_json(row["body"]) for row in found]

    async def incidents_touched_after(self, touched: int, limit: int) -> list[tuple[int, Incident]]:
        sql = "SELECT touched, body FROM incidents WHERE touched > ? ORDER BY touched LIMIT ?"
        found = await self._session.all(sql, touched, limit)
        return [(row["touched"], Incident.model_validate_json(row["body"])) for row in found]

    async def incidents_touched(self) -> int:
        row = await self._session.one("SELECT coalesce(max(touched), 0) FROM incidents")
        return 0 if row is None else int(row[0])

    async def tenant_names(self) -> dict[str, str]:
        return {row[0]: row[1] for row in await self._session.all("SELECT tenant_id, name FROM tenants")}

    async def active_runs(self) -> list[PlaybookRun]:
        found = await self._session.all(f"{_ACTIVE_RUNS} ORDER BY rowid")
        return [PlaybookRun.model_validate_json(row["body"]) for row in found]

    async def active_run(self, flag_name: str) -> PlaybookRun | None:
        row = await self._session.one(f"{_ACTIVE_RUNS} AND flag_name = ?", flag_name)
        return None if row is None else PlaybookRun.model_validate_json(row["body"])

    async def run(self, run_id: str) -> PlaybookRun | None:
        row = await self._session.one("SELECT body FROM playbook_runs WHERE run_id = ?", run_id)
        return None if row is None else PlaybookRun.model_validate_json(row["body"])

    async def runs_of(self, incident_id: str) -> list[PlaybookRun]:
        sql = "SELECT body FROM playbook_runs WHERE incident_id = ? ORDER BY rowid"
        return [PlaybookRun.model_validate_json(row["body"]) for row in await self._session.all(sql, incident_id)]

    async def steps_of(self, run_id: str) -> list[StepRecord]:
        sql = "SELECT body FROM playbook_steps WHERE run_id = ? ORDER BY ordinal"
        return [StepRecord.model_validate_json(row["body"]) for row in await self._session.all(sql, run_id)]

    async def deliveries_of(self, incident_id: str) -> list[Delivery]:
        sql = "SELECT body FROM outbox WHERE incident_id = ? ORDER BY next_try_at, delivery_id"
        return [Delivery.model_validate_json(row["body"]) for row in await self._session.all(sql, incident_id)]

    async def due_deliveries(self, now: datetime, limit: int) -> list[Delivery]:
        sql = "SELECT body FROM outbox WHERE status = ? AND next_try_at <= ? ORDER BY next_try_at, delivery_id LIMIT ?"
        found = await self._session.all(sql, DeliveryStatus.WAITING.value, timestamp(now), limit)
        return [Delivery.model_validate_json(row["body"]) for row in found]


class SqlIncidentTransaction(SqlIncidentReader):
    """Writing, while no other writer does."""

    async def save_incident(self, incident: Incident) -> None:
        await self._session.run(
            "INSERT INTO incidents (incident_id, number, flag_name, open, waiting, touched, body) "
            "SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, coalesce(max(touched), 0) + 1, ? FROM incidents WHERE true "
            "ON CONFLICT (incident_id) DO UPDATE SET "
            "open = excluded.open, waiting = excluded.waiting, touched = excluded.touched, body = excluded.body",
            incident.incident_id,
            incident.flag_name,
            int(incident.open),
            int(incident.waiting),
            incident.model_dump_json(),
        )

    async def save_run(self, run: PlaybookRun) -> None:
        values = (run.run_id, run.incident_id, run.flag_name, run.status.value, int(run.frozen), run.model_dump_json())
        try:
            await self._session.run(
                "INSERT INTO playbook_runs (run_id, incident_id, flag_name, status, frozen, body) "
                "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET "
                "status = excluded.status, frozen = excluded.frozen, body = excluded.body",
                *values,
            )
        except ConstraintViolated:
            raise PlaybookUnderWay(flag=run.flag_name) from None
        await self._touch(run.incident_id)

    async def save_step(self, step: StepRecord) -> None:
        await self._session.run(
            "INSERT INTO playbook_steps (run_id, step, ordinal, status, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (run_id, step) DO UPDATE SET status = excluded.status, body = excluded.body",
            step.run_id,
            step.step,
            step.ordinal,
            step.status.value,
            step.model_dump_json(),
        )
        await self._session.run(
            "UPDATE incidents SET touched = (SELECT max(touched) + 1 FROM incidents) "
            "WHERE incident_id = (SELECT incident_id FROM playbook_runs WHERE run_id = ?)",
            step.run_id,
        )

    async def enqueue(self, delivery: Delivery) -> bool:
        row = _outbox_row(delivery)
        added = await self._session.run(insert("outbox", row, or_ignore=True), *row.values())
        await self._touch(delivery.incident_id)
        return added == 1

    async def save_delivery(self, delivery: Delivery) -> None:
        row = _outbox_row(delivery)
        await self._session.run(insert("outbox", row, or_replace=("delivery_id",)), *row.values())
        await self._touch(delivery.incident_id)

    async def _touch(self, incident_id: str) -> None:
        await self._session.run(
            "UPDATE incidents SET touched = (SELECT max(touched) + 1 FROM incidents) WHERE incident_id = ?", incident_id
        )


def _outbox_row(delivery: Delivery) -> dict[str, str]:
    return {
        "delivery_id": delivery.delivery_id,
        "incident_id": delivery.incident_id,
        "status": delivery.status.value,
        "next_try_at": timestamp(delivery.next_try_at),
        "body": delivery.model_dump_json(),
    }
