"""What every store can do. One contract test suite runs against each backend.

A write is one transaction: ``async with store.write() as tx``. Entering it locks the head row, so writers follow each
other and revisions are gap-free and in commit order. Leaving it commits; an exception, or ``tx.discard()``, rolls back.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from flagconsole.domain.break_glass import Grant
from flagconsole.domain.change import Action, Change, ChangeType
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.instance import Instance
from flagconsole.domain.role import ApiKey
from flagconsole.domain.tenant import TenantProfile
from flagconsole.domain.views import FlagView
from flagconsole.store.act_protocol import ActReader, ActTransaction
from flagconsole.store.approval_protocol import ApprovalReader, ApprovalTransaction
from flagconsole.store.break_glass_protocol import BreakGlassReader, BreakGlassTransaction
from flagconsole.store.cohort_protocol import CohortReader, CohortTransaction
from flagconsole.store.environment_protocol import EnvironmentReader, EnvironmentTransaction
from flagconsole.store.incident_protocol import IncidentReader, IncidentTransaction
from flagconsole.store.metric_store import MetricStore
from flagconsole.store.plan_protocol import PlanReader, PlanTransaction
from flagconsole.store.rollout_protocol import RolloutReader, RolloutTransaction
from flagconsole.store.schedule_protocol import ScheduleReader, ScheduleTransaction


class Head(NamedTuple):
    """The newest position: the lineage of the database, its revision, and the hash of its newest audit entry."""

    epoch: str
    revision: int
    audit_hash: str


class Presented(NamedTuple):
    """What the store knows of a key that somebody presents: the time, the key, revoked or not, and the newest grant that it took and
    hasn't given back."""

    now: datetime
    key: ApiKey | None
    grant: Grant | None


class Remembered(NamedTuple):
    """What was answered to a request with an idempotency key. ``fingerprint`` tells whether it was the same request."""

    fingerprint: str
    body: str


class StoredEvent(NamedTuple):
    """An event as it is sent to clients: ``body`` is the JSON of ``domain.change.Event``."""

    revision: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeDraft:
    """A change before the store gives it its revision, version and hash.

    ``flag`` is the flag as it shall be (the store sets its version, ``updated_at`` and ``updated_by``); ``archive`` retires
    it. For a tenant's change ``override`` is the override as it shall be, None to remove it.
    """

    flag: Flag
    action: Action
    change_type: ChangeType
    reason: str
    changed_by: str
    changed_at: datetime
    tenant_id: str | None = None
    override: Override | None = None
    previous: Mapping[str, Any] | None = None
    new: Mapping[str, Any] | None = None
    reverts: tuple[int, ...] = ()
    correlation_id: str | None = None
    break_glass: str | None = None
    approved_by: str | None = None
    archive: bool = False


class Reader(
    RolloutReader,
    IncidentReader,
    CohortReader,
    BreakGlassReader,
    ApprovalReader,
    ScheduleReader,
    EnvironmentReader,
    PlanReader,
    ActReader,
    Protocol,
):
    """A consistent view of the store. Names of archived flags are unknown to it, except to ``is_retired``."""

    async def now(self) -> datetime:
        """The store's time, by which deadlines are judged."""

    async def head(self) -> Head:
        """The newest position."""

    async def flag(self, flag_name: str) -> Flag | None:
        """One flag."""

    async def flag_views(self, flag_name: str | None = None) -> list[FlagView]:
        """All flags by name (or the one named) with their newest changes."""

    async def is_retired(self, flag_name: str) -> bool:
        """Whether an archived flag has this name."""

    async def dependency_graph(self) -> dict[str, tuple[str, ...]]:
        """The direct dependencies of each flag that has any."""

    async def override(self, flag_name: str, tenant_id: str) -> Override | None:
        """One tenant's override, expired or not."""

    async def overrides(self, *, flag_name: str | None = None, tenant_id: str | None = None) -> list[Override]:
        """Overrides by flag and tenant, expired ones included."""

    async def expired_overrides(self, now: datetime) -> list[Override]:
        """The overrides whose time is over."""

    async def change(self, change_id: int) -> Change | None:
        """One entry of the audit log."""

    async def changes(
        self,
        *,
        flag_name: str | None = None,
        tenant_id: str | None = None,
        domain: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[Change]:
        """Entries of the audit log, newest first, older than the change ``before``."""

    async def changes_after(self, change_id: int, limit: int) -> list[Change]:
        """Entries of the audit log, oldest first, newer than ``change_id``."""

    async def events_after(self, revision: int, limit: int) -> list[StoredEvent] | None:
        """The events that follow ``revision``, oldest first; None when the first of them is kept no more."""

    async def remembered(self, idempotency_key: str) -> Remembered | None:
        """What was answered to this idempotency key."""

    async def tenants(self) -> list[TenantProfile]:
        """The known tenants by id, those no longer active included."""

    async def tenant_known(self, tenant_id: str) -> bool | None:
        """Whether the store knows this tenant; None where it knows none at all."""

    async def active_tenant_ids(self) -> tuple[str, ...]:
        """The ids of the active tenants, in order."""

    async def tenant_count(self) -> int:
        """How many tenants are known."""

    async def api_key(self, key_hash: str) -> ApiKey | None:
        """The key with this SHA-256, revoked or not."""

    async def people(self) -> int:
        """Moves with every change of a key or a tenant's profile, and with nothing else."""

    async def api_keys(self) -> list[ApiKey]:
        """All keys by creation."""

    async def instances(self, *, elsewhere_than: str | None = None) -> list[Instance]:
        """Every instance that isn't forgotten, by id; or only those that report to another server than this."""


class Transaction(
    Reader,
    RolloutTransaction,
    IncidentTransaction,
    CohortTransaction,
    BreakGlassTransaction,
    ApprovalTransaction,
    ScheduleTransaction,
    EnvironmentTransaction,
    PlanTransaction,
    ActTransaction,
    Protocol,
):
    """A write: everything in it happens together or not at all."""

    async def apply(self, draft: ChangeDraft) -> Change:
        """Carry out one change: state, audit entry and event, at the next revision."""

    async def begin_lineage(self, *, after: str = "") -> str:
        """Give the store a new epoch, which sorts after the one it has and the one given: what follows is another history than
        what clients know. The revision stays."""

    async def remember(self, idempotency_key: str, remembered: Remembered) -> None:
        """Keep the answer to an idempotency key, instead of an earlier one, with the change it belongs to."""

    async def put_tenants(self, tenants: Sequence[TenantProfile]) -> None:
        """Add tenants. Of those that exist, the fields that were set are changed and the others kept."""

    async def add_api_key(self, key: ApiKey, key_hash: str) -> None:
        """Add a key by its SHA-256."""

    async def save_api_key(self, key: ApiKey) -> None:
        """Keep how and by whom a key ends, and what replaces it."""

    def discard(self) -> None:
        """Roll back when the transaction ends, without an error."""


class Store(Protocol):
    """A durable store of flags."""

    def write(self, *, urgent: bool = False, shares: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """One transaction. An urgent one (a kill) goes before all that wait. One that ``shares`` is short, and may be committed
        together with others that do and wait for it; each is undone for itself."""

    def read(self) -> AbstractAsyncContextManager[Reader]:
        """A consistent view for several reads."""

    async def presented(self, key_hash: str) -> Presented:
        """What is known of the key with this SHA-256 in hex, in one look."""

    async def save_instances(self, server_id: str, instances: Iterable[Instance], forget: Iterable[str] = ()) -> None:
        """Keep what instances reported to the server ``server_id``. Not an audited change; what a crash loses of it is
        reported again."""

    @property
    def metrics(self) -> MetricStore:
        """What was measured."""

    def committed_after(self, epoch: str, revision: int) -> list[StoredEvent]:
        """The events after ``revision`` of this epoch that this store has committed itself, without a gap and once only; none, where it doesn't
        have them at hand."""

    def time(self) -> datetime | None:
        """The store's time, where it is at hand without asking; None where it is a database's."""

    def version(self) -> int:
        """A number that every commit changes: what was read before it changed may be out of date. A commit of this store's it
        shows at once, another process's as soon as that can be known without waiting. Raises ``StoreUnavailable``."""

    def watch(self) -> AsyncIterator[None]:
        """Yields whenever another process may have changed something, within 100 ms."""

    async def close(self) -> None:
        """Release everything. Committed changes are durable before this."""
