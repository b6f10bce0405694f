"""The two things a command can work on, behind one protocol: a server, or the embedded store itself."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from flagconsole.cli.bulk_backend import BulkBackend
from flagconsole.cli.cohort_backend import CohortBackend
from flagconsole.cli.environment_backend import EnvironmentBackend
from flagconsole.cli.incident_backend import IncidentBackend
from flagconsole.cli.metric_backend import MetricBackend
from flagconsole.cli.rollout_backend import RolloutBackend
from flagconsole.cli.schedule_backend import ScheduleBackend
from flagconsole.cli.shadow_backend import ShadowBackend
from flagconsole.cli.suggestion import did_you_mean
from flagconsole.domain.errors import FlagNotFound, Unauthenticated

if TYPE_CHECKING:
    from flagconsole.cli.target import Target
    from flagconsole.domain import requests as ask
    from flagconsole.domain import views
    from flagconsole.domain.act import ActPage
    from flagconsole.domain.approval import Approval, ApprovalDecline, ApprovalList
    from flagconsole.domain.audit_report import AuditReport
    from flagconsole.domain.break_glass import GrantBegin, GrantList, GrantReview, GrantView
    from flagconsole.domain.role import ApiKey
    from flagconsole.domain.store_environment import EnvironmentList

T = TypeVar("T")


class Backend(
    CohortBackend,
    RolloutBackend,
    IncidentBackend,
    MetricBackend,
    ShadowBackend,
    BulkBackend,
    EnvironmentBackend,
    ScheduleBackend,
    Protocol,
):
    """What commands need of a server or a store. The methods mean what ``docs/api.md`` says of the calls."""

    async def status(self) -> views.Status: ...
    async def flags(self, tenant_id: str | None = None) -> views.FlagListing: ...
    async def flag(self, name: str, tenant_id: str | None = None) -> views.FlagDetail: ...
    async def history(
        self,
        flag_name: str | None = None,
        *,
        limit: int = 50,
        before: int | None = None,
        tenant_id: str | None = None,
        domain: str | None = None,
    ) -> views.HistoryPage: ...
    async def instances(self, revision: int | None = None) -> views.InstanceList: ...
    async def blast_radius(self, name: str) -> views.BlastView: ...
    async def create(
        self, request: ask.FlagCreate, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> views.ChangeResult: ...
    async def update(
        self,
        name: str,
        request: ask.FlagUpdate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult: ...
    async def kill(
        self, name: str, request: ask.Kill, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> views.ChangeResult: ...
    async def revive(
        self,
        name: str,
        request: ask.Revive,
        *,
        version: int,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult: ...
    async def rollback(
        self,
        name: str,
        request: ask.Rollback,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult: ...
    async def set_override(
        self,
        name: str,
        request: ask.OverrideSet,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult: ...
    async def remove_override(
        self,
        name: str,
        request: ask.OverrideRemove,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult: ...
    async def archive(
        self,
        name: str,
        request: ask.Archive,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> views.ChangeResult: ...
    async def verify_audit(self) -> AuditReport: ...
    async def audit_log(self, *, before: int | None = None, limit: int = 50) -> ActPage: ...
    async def keys(self) -> views.KeyList: ...
    async def create_key(self, request: ask.KeyCreate) -> views.NewKey: ...
    async def rotate_key(self, key_id: str, request: ask.KeyRotate) -> views.NewKey: ...
    async def revoke_key(self, key_id: str) -> ApiKey: ...
    async def environments(self) -> EnvironmentList: ...
    async def approvals(self) -> ApprovalList: ...
    async def approve(self, approval_id: str) -> Approval: ...
    async def decline(self, approval_id: str, body: ApprovalDecline) -> Approval: ...
    async def break_glass(self) -> GrantList: ...
    async def begin_break_glass(self, body: GrantBegin) -> GrantView: ...
    async def end_break_glass(self, grant_id: str) -> GrantView: ...
    async def review_break_glass(self, grant_id: str, body: GrantReview) -> GrantView: ...


@asynccontextmanager
async def open_backend(target: Target, *, create: bool = False) -> AsyncIterator[Backend]:
    """The server or the store that ``target`` names, open while the block runs. Only where it may ``create`` one, a store that
    isn't there is made."""
    if target.url is not None:
        from flagconsole import __version__

        # httpx brings its own command along, and with that rich and pygments: a sixth of what starting a command costs. It
        # does without, as where that part of it isn't installed.
        sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
        from flagconsole.client.http import Client

        agent = f"flagconsole-cli/{__version__}"
        try:
            key = target.api_key()
        except Unauthenticated:
            if target.has_key:
                raise
            # A mistyped address would be answered with a search for keys.
            async with Client(target.url, "none", user_agent=agent) as client:
                await client.reach()
            raise
        async with Client(target.url, key, user_agent=agent) as client:
            yield client
    else:
        from flagconsole.cli.embedded import open_embedded

        async with open_embedded(
            str(target.store), create=create, environment=target.environment, called=target.label
        ) as embedded:
            yield embedded


async def working_on(target: Target, work: Callable[[Backend, Target], Awaitable[T]], *, create: bool = False) -> T:
    """Run ``work`` on the backend. An unknown flag's error names the flag that may have been meant."""
    async with open_backend(target, create=create) as backend:
        try:
            return await work(backend, target)
        except FlagNotFound as error:
            if error.hint:
                raise
            listing = await backend.flags()
            wanted = str(error.details.get("flag", ""))
            hint = did_you_mean(wanted, (flag.flag_name for flag in listing.flags)).strip()
            raise FlagNotFound(hint or _where_to_look(len(listing.flags)), **error.details) from None


def _where_to_look(count: int) -> str:
    if count:
        return "See: flagconsole list"
    return "The store is empty; load flags with: flagconsole init"
