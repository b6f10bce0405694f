"""Rollouts in a store."""

from __future__ import annotations

from datetime import datetime

from flagconsole.domain.errors import RolloutUnderWay
from flagconsole.domain.rollout import Rollout, RolloutStep, StoredVerdict
from flagconsole.store.rollout_protocol import Lease, Tick, VerdictsOfKind
from flagconsole.store.rows import timestamp
from flagconsole.store.session import ConstraintViolated, Session, insert

ROLLOUT_IS_ACTIVE = "status IN ('running', 'rolling_back')"
_ACTIVE = f"SELECT body FROM rollouts WHERE {ROLLOUT_IS_ACTIVE}"


class SqlRolloutReader:
    """Reading, in a session's transaction."""

    _session: Session

    async def active_rollouts(self) -> list[Rollout]:
        found = await self._session.all(f"{_ACTIVE} ORDER BY flag_name")
        return [Rollout.model_validate_json(row["body"]) for row in found]

    async def active_rollout(self, flag_name: str) -> Rollout | None:
        row = await self._session.one(f"{_ACTIVE} AND flag_name = ?", flag_name)
        return None if row is None else Rollout.model_validate_json(row["body"])

    async def rollouts(self, *, flag_name: str | None = None, limit: int = 50) -> list[Rollout]:
        where, values = ("", ()) if flag_name is None else (" WHERE flag_name = ?", (flag_name,))
        sql = f"SELECT body FROM rollouts{where} ORDER BY started_at DESC, rollout_id DESC LIMIT ?"
        found = await self._session.all(sql, *values, limit)
        return [Rollout.model_validate_json(row["body"]) for row in found]

    async def rollout_steps(self, rollout_id: str) -> list[RolloutStep]:
        columns = tuple(RolloutStep.model_fields)
        sql = f"SELECT {', '.join(columns)} FROM rollout_steps WHERE rollout_id = ? ORDER BY rowid"
        found = await self._session.all(sql, rollout_id)
        return [RolloutStep.model_validate(dict(zip(columns, row, strict=True))) for row in found]

    async def verdicts(
        self, flag_name: str, *, rollout_id: str | None = None, before: int | None = None, limit: int = 100
    ) -> list[tuple[int, StoredVerdict]]:
        conditions, values = ["flag_name = ?"], [flag_name]
        for condition, value in (("rollout_id = ?", rollout_id), ("verdict_id < ?", before)):
            if value is not None:
                conditions.append(condition)
                values.append(str(value) if isinstance(value, str) else value)  # type: ignore[arg-type]
        sql = f"SELECT verdict_id, body FROM verdicts WHERE {' AND '.join(conditions)} ORDER BY verdict_id DESC LIMIT ?"
        found = await self._session.all(sql, *values, limit)
        return [(row["verdict_id"], StoredVerdict.model_validate_json(row["body"])) for row in found]

    async def verdicts_by_kind(self, rollout_id: str, since: datetime, until: datetime) -> list[VerdictsOfKind]:
        # The bodies of the others are not read: there may be thousands of looks.
        sql = (
            "SELECT times, body FROM verdicts JOIN (SELECT MIN(verdict_id) AS oldest, COUNT(*) AS times FROM verdicts "
            "WHERE rollout_id = ? AND at > ? AND at <= ? GROUP BY kind) AS kinds ON verdict_id = oldest ORDER BY oldest"
        )
        found = await self._session.all(sql, rollout_id, timestamp(since), timestamp(until))
        return [VerdictsOfKind(row["times"], StoredVerdict.model_validate_json(row["body"])) for row in found]

    async def rollout(self, rollout_id: str) -> Rollout | None:
        row = await self._session.one("SELECT body FROM rollouts WHERE rollout_id = ?", rollout_id)
        return None if row is None else Rollout.model_validate_json(row["body"])

    async def rollouts_touched(self) -> int:
        row = await self._session.one("SELECT coalesce(max(touched), 0) FROM rollouts")
        return 0 if row is None else int(row[0])

    async def rollouts_touched_after(self, touched: int, limit: int) -> list[tuple[int, Rollout]]:
        sql = "SELECT touched, body FROM rollouts WHERE touched > ? ORDER BY touched LIMIT ?"
        found = await self._session.all(sql, touched, limit)
        return [(row["touched"], Rollout.model_validate_json(row["body"])) for row in found]

    async def newest_verdict(self) -> int:
        row = await self._session.one("SELECT coalesce(max(verdict_id), 0) FROM verdicts")
        return 0 if row is None else int(row[0])

    async def verdicts_after(self, verdict_id: int, limit: int) -> list[tuple[int, StoredVerdict]]:
        sql = "SELECT verdict_id, body FROM verdicts WHERE verdict_id > ? ORDER BY verdict_id LIMIT ?"
        found = await self._session.all(sql, verdict_id, limit)
        return [(row["verdict_id"], StoredVerdict.model_validate_json(row["body"])) for row in found]

    async def judge_state(self, rollout_id: str, phase: str) -> bytes | None:
        sql = "SELECT body FROM judge_states WHERE rollout_id = ? AND phase = ?"
        row = await self._session.one(sql, rollout_id, phase)
        return None if row is None else bytes(row["body"])

    async def lease(self, name: str) -> Lease | None:
        sql = "SELECT name, holder, epoch, expires_at FROM leases WHERE name = ?"
        row = await self._session.one(sql, name)
        if row is None:
            return None
        return Lease(row["name"], row["holder"], row["epoch"], datetime.fromisoformat(row["expires_at"]))

    async def checklist(self, flag_name: str) -> list[Tick]:
        sql = "SELECT item, ticked_by, ticked_at, note FROM checklists WHERE flag_name = ? ORDER BY ticked_at, item"
        return [
            Tick(row["item"], row["ticked_by"], datetime.fromisoformat(row["ticked_at"]), row["note"])
            for row in await self._session.all(sql, flag_name)
        ]


class SqlRolloutTransaction(SqlRolloutReader):
    """Writing, while no other writer does."""

    async def save_rollout(self, rollout: Rollout) -> None:
        values = (
            rollout.rollout_id,
            rollout.flag_name,
            rollout.status.value,
            timestamp(rollout.started_at),
            rollout.model_dump_json(),
        )
        try:
            await self._session.run(
                "INSERT INTO rollouts (rollout_id, flag_name, status, started_at, touched, body) "
                "SELECT ?, ?, ?, ?, coalesce(max(touched), 0) + 1, ? FROM rollouts WHERE true "
                "ON CONFLICT (rollout_id) DO UPDATE SET "
                "status = excluded.status, touched = excluded.touched, body = excluded.body",
                *values,
            )
        except ConstraintViolated:
            raise RolloutUnderWay(flag=rollout.flag_name) from None

    async def take_step(self, step: RolloutStep) -> bool:
        row = step.model_dump(mode="json") | {"at": timestamp(step.at)}
        return await self._session.run(insert("rollout_steps", row, or_ignore=True), *row.values()) == 1

    async def add_verdict(self, verdict: StoredVerdict) -> None:
        row = {
            "rollout_id": verdict.rollout_id,
            "flag_name": verdict.flag_name,
            "at": timestamp(verdict.at),
            "kind": verdict.kind.value,
            "body": verdict.model_dump_json(),
        }
        await self._session.run(insert("verdicts", row), *row.values())

    async def save_judge_state(self, rollout_id: str, phase: str, body: bytes) -> None:
        row = {"rollout_id": rollout_id, "phase": phase, "body": body}
        await self._session.run(insert("judge_states", row, or_replace=("rollout_id", "phase")), *row.values())

    async def save_lease(self, lease: Lease) -> None:
        row = lease._asdict() | {"expires_at": timestamp(lease.expires_at)}
        await self._session.run(insert("leases", row, or_replace=("name",)), *row.values())

    async def tick(self, flag_name: str, tick: Tick) -> None:
        row = {"flag_name": flag_name, **tick._asdict(), "ticked_at": timestamp(tick.ticked_at)}
        await self._session.run(insert("checklists", row, or_replace=("flag_name", "item")), *row.values())
