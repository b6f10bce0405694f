"""Reading a store. Every method is a short indexed query."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flagconsole.domain.change import Change
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.instance import Instance
from flagconsole.domain.role import ApiKey
from flagconsole.domain.tenant import TenantProfile
from flagconsole.domain.views import FlagView
from flagconsole.store import rows
from flagconsole.store.domain_log import newest_of_domain
from flagconsole.store.protocol import Head, Remembered, StoredEvent
from flagconsole.store.session import Session
from flagconsole.store.sql_acts import SqlActReader
from flagconsole.store.sql_approvals import SqlApprovalReader
from flagconsole.store.sql_break_glass import SqlBreakGlassReader
from flagconsole.store.sql_cohorts import SqlCohortReader
from flagconsole.store.sql_environments import SqlEnvironmentReader
from flagconsole.store.sql_incidents import SqlIncidentReader
from flagconsole.store.sql_plans import SqlPlanReader
from flagconsole.store.sql_rollouts import SqlRolloutReader
from flagconsole.store.sql_schedules import SqlScheduleReader

_CHANGES = f"SELECT {', '.join(rows.CHANGE_COLUMNS)} FROM flag_change_log"
_OVERRIDES = f"SELECT {', '.join(rows.OVERRIDE_COLUMNS)} FROM tenant_flag_overrides"
_FLAGS = f"SELECT {', '.join(rows.FLAG_COLUMNS)}, last_change_id FROM feature_flags WHERE archived_at IS NULL"
_TENANTS = f"SELECT {', '.join(rows.TENANT_COLUMNS)} FROM tenants"
_KEYS = f"SELECT {', '.join(rows.KEY_COLUMNS)} FROM api_keys"
KEY_BY_HASH = f"{_KEYS} WHERE key_hash = ?"


class SqlReader(
    SqlRolloutReader,
    SqlIncidentReader,
    SqlCohortReader,
    SqlBreakGlassReader,
    SqlApprovalReader,
    SqlScheduleReader,
    SqlEnvironmentReader,
    SqlPlanReader,
    SqlActReader,
):
    """A consistent view, in a session's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def now(self) -> datetime:
        return await self._session.now()

    async def head(self) -> Head:
        row = await self._session.one("SELECT epoch, revision, audit_hash FROM store_head WHERE id = 1")
        assert row is not None, "the head row is made by the first migration"
        return Head(*row)

    async def flag(self, flag_name: str) -> Flag | None:
        row = await self._session.one(f"{_FLAGS} AND flag_name = ?", flag_name)
        return None if row is None else rows.flag_of(row)

    async def flag_views(self, flag_name: str | None = None) -> list[FlagView]:
        only, values = ("", ()) if flag_name is None else (" AND flag_name = ?", (flag_name,))
        found = await self._session.all(f"{_FLAGS}{only} ORDER BY flag_name", *values)
        newest = (
            f"{_CHANGES} WHERE change_id IN (SELECT last_change_id FROM feature_flags WHERE archived_at IS NULL{only})"
        )
        changes = {row["change_id"]: row for row in await self._session.all(newest, *values)}
        return [rows.flag_view_of(row, changes.get(row["last_change_id"])) for row in found]

    async def is_retired(self, flag_name: str) -> bool:
        return (
            await self._session.one(
                "SELECT 1 FROM feature_flags WHERE flag_name = ? AND archived_at IS NOT NULL", flag_name
            )
            is not None
        )

    async def dependency_graph(self) -> dict[str, tuple[str, ...]]:
        found = await self._session.all(
            "SELECT flag_name, dependencies FROM feature_flags WHERE archived_at IS NULL AND dependencies <> '[]'"
        )
        return {row["flag_name"]: tuple(json.loads(row["dependencies"])) for row in found}

    async def override(self, flag_name: str, tenant_id: str) -> Override | None:
        row = await self._session.one(f"{_OVERRIDES} WHERE flag_name = ? AND tenant_id = ?", flag_name, tenant_id)
        return None if row is None else rows.override_of(row)

    async def overrides(self, *, flag_name: str | None = None, tenant_id: str | None = None) -> list[Override]:
        where, values = _where(("flag_name = ?", flag_name), ("tenant_id = ?", tenant_id))
        return [
            rows.override_of(row)
            for row in await self._session.all(f"{_OVERRIDES}{where} ORDER BY flag_name, tenant_id", *values)
        ]

    async def expired_overrides(self, now: datetime) -> list[Override]:
        found = await self._session.all(
            f"{_OVERRIDES} WHERE expires_at <= ? ORDER BY expires_at, flag_name", rows.timestamp(now)
        )
        return [rows.override_of(row) for row in found]

    async def change(self, change_id: int) -> Change | None:
        row = await self._session.one(f"{_CHANGES} WHERE change_id = ?", change_id)
        return None if row is None else rows.change_of(row)

    async def changes(
        self,
        *,
        flag_name: str | None = None,
        tenant_id: str | None = None,
        domain: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Change]:
        if domain is not None and flag_name is None and tenant_id is None:
            ids = await newest_of_domain(self._session, domain, before=before, limit=limit)
            return await self._changes_of(ids)
        # A domain is the range of names between "pos." and "pos/", the character after the dot.
        where, values = _where(
            ("flag_name = ?", flag_name),
            ("tenant_id = ?", tenant_id),
            ("flag_name >= ?", None if domain is None else f"{domain}."),
            ("flag_name < ?", None if domain is None else f"{domain}/"),
            ("change_id < ?", before),
        )
        return [
            rows.change_of(row)
            for row in await self._session.all(f"{_CHANGES}{where} ORDER BY change_id DESC LIMIT ?", *values, limit)
        ]

    async def _changes_of(self, ids: Sequence[int]) -> list[Change]:
        if not ids:
            return []
        marks = ", ".join("?" * len(ids))
        found = await self._session.all(f"{_CHANGES} WHERE change_id IN ({marks}) ORDER BY change_id DESC", *ids)
        return [rows.change_of(row) for row in found]

    async def changes_after(self, change_id: int, limit: int) -> list[Change]:
        found = await self._session.all(f"{_CHANGES} WHERE change_id > ? ORDER BY change_id LIMIT ?", change_id, limit)
        return [rows.change_of(row) for row in found]

    async def events_after(self, revision: int, limit: int) -> list[StoredEvent] | None:
        found = await self._session.all(
            "SELECT revision, body FROM flag_events WHERE revision > ? ORDER BY revision LIMIT ?", revision, limit
        )
        if found:
            return [StoredEvent(*row) for row in found] if found[0]["revision"] == revision + 1 else None
        return [] if (await self.head()).revision <= revision else None

    async def remembered(self, idempotency_key: str) -> Remembered | None:
        row = await self._session.one(
            "SELECT fingerprint, body FROM idempotency_keys WHERE idempotency_key = ?", idempotency_key
        )
        return None if row is None else Remembered(*row)

    async def tenants(self) -> list[TenantProfile]:
        return [rows.tenant_of(row) for row in await self._session.all(f"{_TENANTS} ORDER BY tenant_id")]

    async def tenant_known(self, tenant_id: str) -> bool | None:
        if await self._session.one("SELECT 1 FROM tenants WHERE tenant_id = ?", tenant_id) is not None:
            return True
        return None if await self._session.one("SELECT 1 FROM tenants LIMIT 1") is None else False

    async def active_tenant_ids(self) -> tuple[str, ...]:
        found = await self._session.all("SELECT tenant_id FROM tenants WHERE active = 1 ORDER BY tenant_id")
        return tuple(row["tenant_id"] for row in found)

    async def tenant_count(self) -> int:
        row = await self._session.one("SELECT count(*) FROM tenants")
        return 0 if row is None else int(row[0])

    async def api_key(self, key_hash: str) -> ApiKey | None:
        row = await self._session.one(KEY_BY_HASH, key_hash)
        return None if row is None else rows.key_of(row)

    async def people(self) -> int:
        row = await self._session.one("SELECT people FROM store_head WHERE id = 1")
        return 0 if row is None else int(row[0])

    async def api_keys(self) -> list[ApiKey]:
        return [rows.key_of(row) for row in await self._session.all(f"{_KEYS} ORDER BY created_at, key_id")]

    async def instances(self, *, elsewhere_than: str | None = None) -> list[Instance]:
        where, values = _where(("reported_to != ?", elsewhere_than))
        columns = ", ".join(rows.INSTANCE_COLUMNS)
        found = await self._session.all(f"SELECT {columns} FROM instances{where} ORDER BY instance_id", *values)
        return [rows.instance_of(row) for row in found]


def _where(*conditions: tuple[str, Any]) -> tuple[str, list[Any]]:
    """A WHERE clause of the conditions whose value is given."""
    given = [(condition, value) for condition, value in conditions if value is not None]
    clause = " AND ".join(condition for condition, _ in given)
    return (f" WHERE {clause}" if clause else ""), [value for _, value in given]
