"""Rollouts in the embedded store."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flagconsole.domain.errors import RolloutUnderWay
from flagconsole.domain.rollout import Rollout, RolloutStep, StoredVerdict
from flagconsole.store.rollout_protocol import Lease, Tick
from flagconsole.store.rows import timestamp

_ACTIVE = "SELECT body FROM rollouts WHERE status IN ('running', 'rolling_back')"


class SqliteRolloutReader:
    """Reading, on a connection that has a transaction open."""

    _connection: sqlite3.Connection

    async def active_rollouts(self) -> list[Rollout]:
        found = self._connection.execute(f"{_ACTIVE} ORDER BY flag_name").fetchall()
        return [Rollout.model_validate_json(row["body"]) for row in found]

    async def active_rollout(self, flag_name: str) -> Rollout | None:
        row = self._connection.execute(f"{_ACTIVE} AND flag_name = ?", (flag_name,)).fetchone()
        return None if row is None else Rollout.model_validate_json(row["body"])

    async def rollouts(self, *, flag_name: str | None = None, limit: int = 50) -> list[Rollout]:
        where, values = ("", ()) if flag_name is None else (" WHERE flag_name = ?", (flag_name,))
        sql = f"SELECT body FROM rollouts{where} ORDER BY started_at DESC, rollout_id DESC LIMIT ?"
        found = self._connection.execute(sql, (*values, limit)).fetchall()
        return [Rollout.model_validate_json(row["body"]) for row in found]

    async def rollout_steps(self, rollout_id: str) -> list[RolloutStep]:
        sql = "SELECT rollout_id, step, at, by, change_id, note FROM rollout_steps WHERE rollout_id = ? ORDER BY rowid"
        return [RolloutStep.model_validate(dict(row)) for row in self._connection.execute(sql, (rollout_id,))]

    async def verdicts(
        self, flag_name: str, *, rollout_id: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[tuple[int, StoredVerdict]]:
        conditions, values = ["flag_name = ?"], [flag_name]
        for condition, value in (("rollout_id = ?", rollout_id), ("verdict_id < ?", before)):
            if value is not None:
                conditions.append(condition)
                values.append(str(value) if isinstance(value, str) else value)  # type: ignore[arg-type]
        sql = f"SELECT verdict_id, body FROM verdicts WHERE {' AND '.join(conditions)} ORDER BY verdict_id DESC LIMIT ?"
        found = self._connection.execute(sql, (*values, limit)).fetchall()
        return [(row["verdict_id"], StoredVerdict.model_validate_json(row["body"])) for row in found]

    async def rollouts_touched(self) -> int:
        touched: int = self._connection.execute("SELECT coalesce(max(touched), 0) FROM rollouts").fetchone()[0]
        return touched

    async def rollouts_touched_after(self, touched: int, limit: int) -> list[tuple[int, Rollout]]:
        sql = "SELECT touched, body FROM rollouts WHERE touched > ? ORDER BY touched LIMIT ?"
        found = self._connection.execute(sql, (touched, limit)).fetchall()
        return [(row["touched"], Rollout.model_validate_json(row["body"])) for row in found]

    async def newest_verdict(self) -> int:
        newest: int = self._connection.execute("SELECT coalesce(max(verdict_id), 0) FROM verdicts").fetchone()[0]
        return newest

    async def verdicts_after(self, verdict_id: int, limit: int) -> list[tuple[int, StoredVerdict]]:
        sql = "SELECT verdict_id, body FROM verdicts WHERE verdict_id > ? ORDER BY verdict_id LIMIT ?"
        found = self._connection.execute(sql, (verdict_id, limit)).fetchall()
        return [(row["verdict_id"], StoredVerdict.model_validate_json(row["body"])) for row in found]

    async def judge_state(self, rollout_id: str, phase: str) -> bytes | None:
        sql = "SELECT body FROM judge_states WHERE rollout_id = ? AND phase = ?"
        row = self._connection.execute(sql, (rollout_id, phase)).fetchone()
        return None if row is None else bytes(row["body"])

    async def lease(self, name: str) -> Lease | None:
        sql = "SELECT name, holder, epoch, expires_at FROM leases WHERE name = ?"
        row = self._connection.execute(sql, (name,)).fetchone()
        if row is None:
            return None
        return Lease(row["name"], row["holder"], row["epoch"], datetime.fromisoformat(row["expires_at"]))

    async def checklist(self, flag_name: str) -> list[Tick]:
        sql = "SELECT item, ticked_by, ticked_at, note FROM checklists WHERE flag_name = ? ORDER BY ticked_at, item"
        return [
            Tick(row["item"], row["ticked_by"], datetime.fromisoformat(row["ticked_at"]), row["note"])
            for row in self._connection.execute(sql, (flag_name,))
        ]


class SqliteRolloutTransaction(SqliteRolloutReader):
    """Writing, inside ``BEGIN IMMEDIATE``."""

    def _put(self, verb: str, table: str, row: Mapping[str, Any]) -> int:
        marks = ", ".join("?" * len(row))
        sql = f"{verb} INTO {table} ({', '.join(row)}) VALUES ({marks})"
        return self._connection.execute(sql, tuple(row.values())).rowcount

    async def save_rollout(self, rollout: Rollout) -> None:
        values = (
            rollout.rollout_id,
            rollout.flag_name,
            rollout.status.value,
            timestamp(rollout.started_at),
            rollout.model_dump_json(),
        )
        try:
            self._connection.execute(
                "INSERT INTO rollouts (rollout_id, flag_name, status, started_at, touched, body) "
                "SELECT ?, ?, ?, ?, coalesce(max(touched), 0) + 1, ? FROM rollouts WHERE true "
                "ON CONFLICT (rollout_id) DO UPDATE SET "
                "status = excluded.status, touched = excluded.touched, body = excluded.body",
                values,
            )
        except sqlite3.IntegrityError:
            raise RolloutUnderWay(flag=rollout.flag_name) from None

    async def take_step(self, step: RolloutStep) -> bool:
        row = step.model_dump(mode="json") | {"at": timestamp(step.at)}
        return self._put("INSERT OR IGNORE", "rollout_steps", row) == 1

    async def add_verdict(self, verdict: StoredVerdict) -> None:
        row = {
            "rollout_id": verdict.rollout_id,
            "flag_name": verdict.flag_name,
            "at": timestamp(verdict.at),
            "kind": verdict.kind.value,
            "body": verdict.model_dump_json(),
        }
        self._put("INSERT", "verdicts", row)

    async def save_judge_state(self, rollout_id: str, phase: str, body: bytes) -> None:
        self._put("INSERT OR REPLACE", "judge_states", {"rollout_id": rollout_id, "phase": phase, "body": body})

    async def save_lease(self, lease: Lease) -> None:
        self._put("INSERT OR REPLACE", "leases", lease._asdict() | {"expires_at": timestamp(lease.expires_at)})

    async def tick(self, flag_name: str, tick: Tick) -> None:
        row = {"flag_name": flag_name, **tick._asdict(), "ticked_at": timestamp(tick.ticked_at)}
        self._put("INSERT OR REPLACE", "checklists", row)
