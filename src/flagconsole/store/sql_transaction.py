"""Writing a store, while no other writer does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Final

from flagconsole.domain.audit import entry_hash
from flagconsole.domain.change import Change, Event
from flagconsole.domain.flag import Flag
from flagconsole.domain.role import ApiKey
from flagconsole.domain.tenant import TenantProfile
from flagconsole.store import rows
from flagconsole.store.epoch import epoch_after
from flagconsole.store.protocol import ChangeDraft, Head, Remembered, StoredEvent
from flagconsole.store.session import Session, Statement, insert
from flagconsole.store.sql_acts import SqlActTransaction
from flagconsole.store.sql_approvals import SqlApprovalTransaction
from flagconsole.store.sql_break_glass import SqlBreakGlassTransaction
from flagconsole.store.sql_cohorts import SqlCohortTransaction
from flagconsole.store.sql_environments import SqlEnvironmentTransaction
from flagconsole.store.sql_known_flags import SqlKnownFlags
from flagconsole.store.sql_plans import SqlPlanTransaction
from flagconsole.store.sql_schedules import SqlScheduleTransaction

#: Clients this many revisions behind get a snapshot instead of a replay.
EVENTS_KEPT: Final = 20_000
#: How long the answer to an idempotency key is kept: longer than anyone retries.
ANSWERS_KEPT: Final = timedelta(days=7)
_TIDY_EVERY: Final = 500


class SqlTransaction(
    SqlKnownFlags,
    SqlCohortTransaction,
    SqlBreakGlassTransaction,
    SqlApprovalTransaction,
    SqlScheduleTransaction,
    SqlEnvironmentTransaction,
    SqlPlanTransaction,
    SqlActTransaction,
):
    """One write transaction."""

    def __init__(self, session: Session, head: Head | None = None) -> None:
        super().__init__(session)
        self.discarded = False
        self._head = head
        #: What it tells those who follow, once it is committed, each with its epoch.
        self.events: list[tuple[str, StoredEvent]] = []

    def discard(self) -> None:
        self.discarded = True

    @property
    def known_head(self) -> Head | None:
        """The newest position, where it needn't be asked for."""
        return self._head

    async def head(self) -> Head:
        # Nobody else can move it while this transaction holds its row.
        if self._head is None:
            self._head = await super().head()
        return self._head

    async def _insert(self, table: str, row: Mapping[str, Any], *, or_replace: Sequence[str] = ()) -> None:
        await self._session.run(insert(table, row, or_replace=or_replace), *row.values())

    async def apply(self, draft: ChangeDraft) -> Change:
        head = await self.head()
        revision = head.revision + 1
        current = await self.flag(draft.flag.flag_name)
        version = (current.version if current is not None else 0) + 1
        change, row = _sealed(draft, head.epoch, revision, version, head.audit_hash)
        flag = draft.flag.model_copy(
            update={"version": version, "updated_at": draft.changed_at, "updated_by": draft.changed_by}
        )
        event = Event(
            epoch=head.epoch,
            revision=revision,
            change=change,
            flag=None if draft.archive else flag,
            override=draft.override,
        )
        same_cohort = current is not None and current.same_cohort(flag)
        body = event.to_json(same_cohort=same_cohort)
        self.forget_flag(flag.flag_name)
        await self._session.run_all(
            [
                ("UPDATE store_head SET revision = ?, audit_hash = ?", (revision, change.hash)),
                *_saved_flag(flag, change, draft),
                *(_saved_override(draft) if draft.tenant_id is not None else ()),
                _inserted("flag_change_log", row),
                _inserted("flag_events", {"revision": revision, "body": body}),
            ]
        )
        self._head = Head(head.epoch, revision, change.hash)
        self.events.append((head.epoch, StoredEvent(revision, body)))
        if revision % _TIDY_EVERY == 0:
            await self._tidy(revision, draft.changed_at)
        return change

    async def _tidy(self, revision: int, now: datetime) -> None:
        await self._session.run("DELETE FROM flag_events WHERE revision <= ?", revision - EVENTS_KEPT)
        await self._session.run("DELETE FROM idempotency_keys WHERE created_at < ?", rows.timestamp(now - ANSWERS_KEPT))

    async def begin_lineage(self, *, after: str = "") -> str:
        epoch = epoch_after(max(after, (await self.head()).epoch))
        await self._session.run("UPDATE store_head SET epoch = ?", epoch)
        self._head = None
        return epoch

    async def remember(self, idempotency_key: str, remembered: Remembered) -> None:
        await self._insert(
            "idempotency_keys",
            {
                "idempotency_key": idempotency_key,
                "fingerprint": remembered.fingerprint,
                "body": remembered.body,
                "created_at": rows.timestamp(await self.now()),
            },
            or_replace=("idempotency_key",),
        )

    async def put_tenants(self, tenants: Sequence[TenantProfile]) -> None:
        columns = rows.TENANT_COLUMNS
        marks = ", ".join("?" * len(columns))
        # In the order given, since a tenant may be named twice; neighbours that set the same fields go together.
        for fields, group in groupby(tenants, key=lambda tenant: tenant.model_fields_set):
            given = [name for name in columns if name in fields and name != "tenant_id"]
            changes = ", ".join(f"{name} = excluded.{name}" for name in given)
            otherwise = f"DO UPDATE SET {changes}" if changes else "DO NOTHING"
            await self._session.run_many(
                f"INSERT INTO tenants ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT (tenant_id) {otherwise}",
                [tuple(rows.tenant_row(tenant).values()) for tenant in group],
            )

        await self._people_moved()

    async def _people_moved(self) -> None:
        await self._session.run("UPDATE store_head SET people = people + 1")

    async def add_api_key(self, key: ApiKey, key_hash: str) -> None:
        await self._people_moved()
        await self._insert("api_keys", {**key.model_dump(mode="json"), "key_hash": key_hash})

    async def save_api_key(self, key: ApiKey) -> None:
        await self._people_moved()
        row = key.model_dump(mode="json", include={"expires_at", "replaced_by", "revoked_at", "revoked_by"})
        changes = ", ".join(f"{name} = ?" for name in row)
        await self._session.run(f"UPDATE api_keys SET {changes} WHERE key_id = ?", *row.values(), key.key_id)


def _inserted(table: str, row: Mapping[str, Any], *or_replace: str) -> Statement:
    return insert(table, row, or_replace=or_replace), tuple(row.values())


def _saved_flag(flag: Flag, change: Change, draft: ChangeDraft) -> Iterator[Statement]:
    row = rows.flag_row(flag)
    row["last_change_id"] = change.change_id
    row["archived_at"] = rows.timestamp(draft.changed_at) if draft.archive else None
    yield _inserted("feature_flags", row, "flag_name")
    if draft.archive:
        yield "DELETE FROM tenant_flag_overrides WHERE flag_name = ?", (flag.flag_name,)


def _saved_override(draft: ChangeDraft) -> Iterator[Statement]:
    if draft.override is not None:
        yield _inserted("tenant_flag_overrides", rows.override_row(draft.override), "flag_name", "tenant_id")
        return
    of = draft.flag.flag_name, draft.tenant_id
    yield "DELETE FROM tenant_flag_overrides WHERE flag_name = ? AND tenant_id = ?", of


def _sealed(
    draft: ChangeDraft, epoch: str, revision: int, version: int, previous_hash: str
) -> tuple[Change, dict[str, Any]]:
    """The audit entry of a draft, with its hash, and its row."""
    change = Change(
        change_id=revision,
        epoch=epoch,
        flag_name=draft.flag.flag_name,
        tenant_id=draft.tenant_id,
        action=draft.action,
        change_type=draft.change_type,
        previous=None if draft.previous is None else dict(draft.previous),
        new=None if draft.new is None else dict(draft.new),
        change_reason=draft.reason,
        changed_by=draft.changed_by,
        changed_at=draft.changed_at,
        reverts=draft.reverts,
        correlation_id=draft.correlation_id,
        version=version,
        break_glass=draft.break_glass,
        approved_by=draft.approved_by,
        previous_hash=previous_hash,
        hash="",
    )
    # What is hashed is what is kept.
    told = change.model_dump(mode="json", exclude={"hash"})
    digest = entry_hash(previous_hash, told)
    return change.model_copy(update={"hash": digest}), rows.change_row(told | {"hash": digest})
