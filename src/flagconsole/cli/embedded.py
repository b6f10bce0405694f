"""The embedded store as a backend: the same use cases that a server runs, asked by the user of this machine."""

from __future__ import annotations

import getpass
import os
import platform
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flagconsole.cli.bulk_backend import EmbeddedBulk
from flagconsole.cli.cohort_backend import EmbeddedCohorts
from flagconsole.cli.environment_backend import EmbeddedEnvironment
from flagconsole.cli.incident_backend import EmbeddedIncidents
from flagconsole.cli.metric_backend import EmbeddedMetrics
from flagconsole.cli.rollout_backend import EmbeddedRollouts
from flagconsole.cli.schedule_backend import EmbeddedSchedules
from flagconsole.cli.shadow_backend import EmbeddedShadow
from flagconsole.domain import requests as ask
from flagconsole.domain import views
from flagconsole.domain.act import ActPage
from flagconsole.domain.approval import Approval, ApprovalDecline, ApprovalList
from flagconsole.domain.audit_report import AuditReport
from flagconsole.domain.break_glass import GrantBegin, GrantList, GrantReview, GrantView
from flagconsole.domain.role import Actor, ApiKey, Role
from flagconsole.domain.store_environment import FIRST, EnvironmentList
from flagconsole.domain.text import safe_text
from flagconsole.operations.service import Operations
from flagconsole.operations.store_environments import chosen, known_environments
from flagconsole.store import open_store
from flagconsole.store.opening import refuse_missing


def local_actor() -> Actor:
    """``user@host``, who may do everything: the store is a file of theirs."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid-{os.getuid()}"
    return Actor(name=safe_text(f"{user}@{platform.node() or 'localhost'}", 200), role=Role.ADMIN)


@asynccontextmanager
async def open_embedded(
    store_url: str, *, create: bool = True, environment: str | None = None, called: str = ""
) -> AsyncIterator[Embedded]:
    """Open an environment of the store while the block runs: the one named, else the first one. ``called`` is what a context
    calls it, which decides as soon as the store's environments have names. Unless it may ``create`` a store, raises
    ``StoreNotFound`` where there is none; and ``EnvironmentNotFound``."""
    if not create:
        refuse_missing(store_url)
    store = await open_store(store_url)
    try:
        async with store.read() as reader:
            known = await known_environments(reader)
        asked = environment or (called if known[0].created_at is not None else "")
        chosen_one = chosen(known, asked) if asked else known[0]
        if chosen_one.partition != FIRST:
            await store.close()
            store = await open_store(store_url, partition=chosen_one.partition)
        operations = Operations(store, environment=chosen_one.name)
        await operations.expire_overrides()
        yield Embedded(operations, local_actor())
    finally:
        await store.close()


class Embedded(
    EmbeddedCohorts,
    EmbeddedRollouts,
    EmbeddedIncidents,
    EmbeddedMetrics,
    EmbeddedShadow,
    EmbeddedBulk,
    EmbeddedEnvironment,
    EmbeddedSchedules,
):
    """``Backend`` on ``Operations``, for one actor."""

    def __init__(self, operations: Operations, actor: Actor) -> None:
        self._operations = operations
        self._actor = actor

    async def status(self) -> views.Status:
        return await self._operations.status(self._actor)

    async def flags(self, tenant_id: str | None = None) -> views.FlagListing:
        return await self._operations.flags(self._actor, tenant_id)

    async def flag(self, name: str, tenant_id: str | None = None) -> views.FlagDetail:
        return await self._operations.flag(self._actor, name, tenant_id)

    async def history(
        self,
        flag_name: str | None = None,
        *,
        limit: int = 50,
        before: int | None = None,
        tenant_id: str | None = None,
        domain: str | None = None,
    ) -> views.HistoryPage:
        return await self._operations.history(
            self._actor, flag_name, limit=limit, before=before, tenant_id=tenant_id, domain=domain
        )

    async def instances(self, revision: int | None = None) -> views.InstanceList:
        return await self._operations.instances(self._actor, revision)

    async def blast_radius(self, name: str) -> views.BlastView:
        return await self._operations.blast_radius(self._actor, name)

    async def create(
        self, request: ask.FlagCreate, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> views.ChangeResult:
        return await self._operations.create(self._actor, request, idempotency_key=idempotency_key, dry_run=dry_run)

    async def update(
        self,
        name: str,
        request: ask.FlagUpdate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult:
        return await self._operations.update(
            self._actor, name, request, version=version, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def kill(
        self, name: str, request: ask.Kill, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> views.ChangeResult:
        return await self._operations.kill(self._actor, name, request, idempotency_key=idempotency_key, dry_run=dry_run)

    async def revive(
        self,
        name: str,
        request: ask.Revive,
        *,
        version: int,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult:
        return await self._operations.revive(
            self._actor, name, request, version=version, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def rollback(
        self,
        name: str,
        request: ask.Rollback,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult:
        return await self._operations.rollback(
            self._actor, name, request, version=version, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def set_override(
        self,
        name: str,
        request: ask.OverrideSet,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult:
        return await self._operations.set_override(
            self._actor, name, request, version=version, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def remove_override(
        self,
        name: str,
        request: ask.OverrideRemove,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult:
        return await self._operations.remove_override(
            self._actor, name, request, version=version, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def archive(
        self,
        name: str,
        request: ask.Archive,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult:
        return await self._operations.archive(
            self._actor, name, request, version=version, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def verify_audit(self) -> AuditReport:
        return await self._operations.verify_audit(self._actor)

    async def audit_log(self, *, before: int | None = None, limit: int = 50) -> ActPage:
        return await self._operations.audit_log(self._actor, before=before, limit=limit)

    async def keys(self) -> views.KeyList:
        return await self._operations.keys(self._actor)

    async def create_key(self, request: ask.KeyCreate) -> views.NewKey:
        return await self._operations.create_key(self._actor, request)

    async def rotate_key(self, key_id: str, request: ask.KeyRotate) -> views.NewKey:
        return await self._operations.rotate_key(self._actor, key_id, request)

    async def revoke_key(self, key_id: str) -> ApiKey:
        return await self._operations.revoke_key(self._actor, key_id)

    async def environments(self) -> EnvironmentList:
        return await self._operations.environments(self._actor)

    async def approvals(self) -> ApprovalList:
        return await self._operations.approvals(self._actor)

    async def approve(self, approval_id: str) -> Approval:
        return await self._operations.approve(self._actor, approval_id)

    async def decline(self, approval_id: str, body: ApprovalDecline) -> Approval:
        return await self._operations.decline(self._actor, approval_id, body)

    async def break_glass(self) -> GrantList:
        return await self._operations.break_glass(self._actor)

    async def begin_break_glass(self, body: GrantBegin) -> GrantView:
        return await self._operations.begin_break_glass(self._actor, body)

    async def end_break_glass(self, grant_id: str) -> GrantView:
        return await self._operations.end_break_glass(self._actor, grant_id)

    async def review_break_glass(self, grant_id: str, body: GrantReview) -> GrantView:
        return await self._operations.review_break_glass(self._actor, grant_id, body)

    async def load_catalogue(self, flags: Sequence[ask.FlagCreate], *, dry_run: bool = False) -> int:
        """Create all flags in one transaction. Raises ``StoreNotEmpty``."""
        return await self._operations.load_catalogue(self._actor, flags, dry_run=dry_run)
