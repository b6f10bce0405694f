"""The calls of the HTTP API, one method each, with our own words as arguments and answers."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

from flagconsole.client.approvals import ApprovalCalls
from flagconsole.client.attempts import KILL
from flagconsole.client.audit import AuditCalls
from flagconsole.client.bulk import BulkCalls
from flagconsole.client.caller import Caller
from flagconsole.client.cohorts import CohortCalls
from flagconsole.client.connection import USER_AGENT, open_connection
from flagconsole.client.environments import EnvironmentCalls
from flagconsole.client.incidents import IncidentCalls
from flagconsole.client.metrics import MetricCalls
from flagconsole.client.position import Position
from flagconsole.client.rollouts import RolloutCalls
from flagconsole.client.schedules import ScheduleCalls
from flagconsole.client.shadow import ShadowCalls
from flagconsole.domain import requests as ask
from flagconsole.domain.errors import FlagNotFound
from flagconsole.domain.role import ApiKey
from flagconsole.domain.views import (
    BlastView,
    ChangeResult,
    FlagDetail,
    FlagListing,
    HistoryPage,
    InstanceList,
    KeyList,
    NewKey,
    Status,
)

if TYPE_CHECKING:
    from flagconsole.domain.break_glass import GrantBegin, GrantList, GrantReview, GrantView
    from flagconsole.domain.store_environment import EnvironmentList


class Client(
    RolloutCalls,
    IncidentCalls,
    CohortCalls,
    MetricCalls,
    ShadowCalls,
    BulkCalls,
    EnvironmentCalls,
    ScheduleCalls,
    AuditCalls,
    ApprovalCalls,
):
    """A server's API. Use it as an async context manager, or ``aclose()`` it.

    ``timeout`` is in seconds, for each step of one try. All methods raise the server's error as the class of
    ``domain.errors`` that it is, ``Unreachable`` when no connection could be made, ``UnexpectedAnswer`` when something else
    than flagconsole answers. Mutations carry an ``Idempotency-Key`` (their own unless one is given), are tried again with
    it, and raise ``OutcomeUnknown``, which names the key, when it can't be told whether they were carried out. Raises
    ``InvalidInput`` for a URL or key that can't be used.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = 10.0,
        user_agent: str = USER_AGENT,
        transport: httpx.AsyncBaseTransport | None = None,
        position: Position | None = None,
    ) -> None:
        self.url = url
        connection = open_connection(url, api_key, timeout=timeout, user_agent=user_agent, transport=transport)
        self._caller = Caller(url, connection)
        self._caller.position = position

    @property
    def position(self) -> Position | None:
        """The highest ``(epoch, revision)`` seen so far. No server that is behind it is listened to."""
        return self._caller.position

    async def aclose(self) -> None:
        """Close all connections."""
        await self._caller.aclose()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def reach(self) -> None:
        """Raise ``Unreachable`` where nobody answers at the URL. Needs no valid key."""
        await self._caller.reach("/health")

    async def status(self) -> Status:
        """The system on one screen, and who I am."""
        return await self._caller.get("/api/status", Status)

    async def flags(self, tenant_id: str | None = None) -> FlagListing:
        """All flags and overrides; with a tenant also what it gets."""
        return await self._caller.get("/api/flags", FlagListing, tenant_id=tenant_id)

    async def flag(self, name: str, tenant_id: str | None = None) -> FlagDetail:
        """One flag; with a tenant also what it gets."""
        return await self._caller.get(_flag_path(name), FlagDetail, tenant_id=tenant_id)

    async def history(
        self,
        flag_name: str | None = None,
        *,
        limit: int = 50,
        before: int | None = None,
        tenant_id: str | None = None,
        domain: str | None = None,
    ) -> HistoryPage:
        """Changes of one flag or of all, newest first. ``before`` is the ``next_before`` of the page before."""
        path = "/api/history" if flag_name is None else _flag_path(flag_name, "/history")
        return await self._caller.get(path, HistoryPage, limit=limit, before=before, tenant_id=tenant_id, domain=domain)

    async def instances(self, revision: int | None = None) -> InstanceList:
        """Who runs, and how many of those expected have confirmed ``revision`` (default: the newest)."""
        return await self._caller.get("/api/instances", InstanceList, revision=revision)

    async def blast_radius(self, name: str, state: str = "kill") -> BlastView:
        """What setting the flag to ``state`` would do to the known tenants."""
        return await self._caller.get(_flag_path(name, "/blast-radius"), BlastView, state=str(state))

    async def create(
        self, body: ask.FlagCreate, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> ChangeResult:
        """Add a flag in its default state."""
        return await self._caller.change(
            "POST", "/api/flags", ChangeResult, body, idempotency_key=idempotency_key, dry_run=dry_run
        )

    async def update(
        self,
        name: str,
        body: ask.FlagUpdate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Change what ``body`` names, decided on ``version``."""
        return await self._caller.change(
            "PUT",
            _flag_path(name),
            ChangeResult,
            body,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def kill(
        self, name: str, body: ask.Kill, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> ChangeResult:
        """Turn the feature off for everyone. Tried hardest, and needs no version."""
        return await self._caller.change(
            "POST",
            _flag_path(name, "/kill"),
            ChangeResult,
            body,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
            patience=KILL,
        )

    async def revive(
        self,
        name: str,
        body: ask.Revive,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Clear a kill, decided on ``version``; the server refuses it without one."""
        return await self._caller.change(
            "POST",
            _flag_path(name, "/revive"),
            ChangeResult,
            body,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def rollback(
        self,
        name: str,
        body: ask.Rollback,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Undo the newest change that can be undone, or return to the state after the one that ``body`` names."""
        return await self._caller.change(
            "POST",
            _flag_path(name, "/rollback"),
            ChangeResult,
            body,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def set_override(
        self,
        name: str,
        body: ask.OverrideSet,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Give one tenant its own state."""
        return await self._caller.change(
            "PUT",
            _flag_path(name, "/override"),
            ChangeResult,
            body,
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def remove_override(
        self,
        name: str,
        body: ask.OverrideRemove,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Take one tenant's own state away."""
        return await self._caller.change(
            "DELETE",
            _flag_path(name, "/override"),
            ChangeResult,
            query=body.model_dump(mode="json"),
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def archive(
        self,
        name: str,
        body: ask.Archive,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Retire a flag. Its name is never used again."""
        return await self._caller.change(
            "DELETE",
            _flag_path(name),
            ChangeResult,
            query=body.model_dump(mode="json"),
            version=version,
            idempotency_key=idempotency_key,
            dry_run=dry_run,
        )

    async def keys(self) -> KeyList:
        """All API keys, without their secrets."""
        return await self._caller.get("/api/keys", KeyList)

    async def create_key(self, body: ask.KeyCreate) -> NewKey:
        """Make an API key. Never asked for twice once it was sent: its secret is not kept to be answered again."""
        return await self._caller.change("POST", "/api/keys", NewKey, body, repeatable=False)

    async def rotate_key(self, key_id: str, body: ask.KeyRotate) -> NewKey:
        """Make the key that takes this one's place. Never asked for twice once it was sent."""
        path = f"/api/keys/{_segment(key_id)}/rotate"
        return await self._caller.change("POST", path, NewKey, body, repeatable=False)

    async def revoke_key(self, key_id: str) -> ApiKey:
        """Make an API key invalid."""
        return await self._caller.change("DELETE", f"/api/keys/{_segment(key_id)}", ApiKey)

    async def environments(self) -> EnvironmentList:
        """The environment that the key belongs to."""
        from flagconsole.domain.store_environment import EnvironmentList

        return await self._caller.get("/api/environments", EnvironmentList)

    async def break_glass(self) -> GrantList:
        """Admin's rights that were taken for a time, and what was done with them."""
        from flagconsole.domain.break_glass import GrantList

        return await self._caller.get("/api/break-glass", GrantList)

    async def begin_break_glass(self, body: GrantBegin) -> GrantView:
        """Take admin's rights for a time."""
        from flagconsole.domain.break_glass import GrantView

        return await self._caller.change("POST", "/api/break-glass", GrantView, body, repeatable=False)

    async def end_break_glass(self, grant_id: str) -> GrantView:
        """Give them back."""
        from flagconsole.domain.break_glass import GrantView

        return await self._caller.change("DELETE", f"/api/break-glass/{_segment(grant_id)}", GrantView)

    async def review_break_glass(self, grant_id: str, body: GrantReview) -> GrantView:
        """Say that somebody else has looked at what was done."""
        from flagconsole.domain.break_glass import GrantView

        return await self._caller.change("POST", f"/api/break-glass/{_segment(grant_id)}/review", GrantView, body)

    async def snapshot(self) -> bytes:
        """All rules for evaluation, as they travel: see ``domain.payload``."""
        return await self._caller.get_bytes("/api/snapshot")


def _flag_path(name: str, rest: str = "") -> str:
    return f"/api/flags/{_segment(name)}{rest}"


def _segment(name: str) -> str:
    """``name`` as one segment of a path. The empty name and the dots of path arithmetic would mean another route."""
    if name in ("", ".", ".."):
        raise FlagNotFound(flag=name)
    return quote(name.encode("utf-8", "replace"), safe="")
