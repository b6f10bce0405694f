"""``Operations``: every use case by name, with authorisation, one transaction and idempotency around it.

Its methods have the names, arguments and answers of ``client.http.Client``, with the actor in front: what talks to a
server can as well work on an embedded store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import uuid4

from pydantic import BaseModel

from flagconsole.domain import requests as ask
from flagconsole.domain.errors import FlagNotFound, InvalidInput, StoreNotEmpty
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState
from flagconsole.domain.tenant_view import result_of_tenant
from flagconsole.domain.views import (
    BlastView,
    ChangeResult,
    FlagDetail,
    FlagListing,
    HistoryPage,
    InstanceList,
    Status,
    TenantList,
)
from flagconsole.operations import approvals, creation, kill, override, reading, rollback, setting
from flagconsole.operations.approvals import ApprovalOperations, Asked, put_to_somebody
from flagconsole.operations.auditing import AuditOperations
from flagconsole.operations.break_glass import BreakGlassOperations
from flagconsole.operations.cohorts import CohortOperations
from flagconsole.operations.context import Context, Outcome
from flagconsole.operations.environments import EnvironmentOperations
from flagconsole.operations.incident_service import IncidentOperations
from flagconsole.operations.key_service import KeyOperations
from flagconsole.operations.once import fingerprint_of, once
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.operations.playbook_service import PlaybookOperations
from flagconsole.operations.schedule_service import ScheduleOperations
from flagconsole.operations.store_environments import StoreEnvironmentOperations
from flagconsole.store.protocol import Reader, Store, Transaction

#: Who the system is in the log when nobody asked.
SYSTEM = Actor(name="flagconsole", role=Role.ADMIN)

HISTORY_LIMIT = 500

Request = TypeVar("Request", bound=BaseModel)
UseCase = Callable[[Transaction, Context, str, Request], Awaitable[Outcome]]


class Operations(
    IncidentOperations,
    PlaybookOperations,
    CohortOperations,
    EnvironmentOperations,
    BreakGlassOperations,
    ApprovalOperations,
    ScheduleOperations,
    StoreEnvironmentOperations,
    KeyOperations,
    AuditOperations,
):
    """All use cases on one store."""

    def __init__(
        self,
        store: Store,
        *,
        environment: str = "local",
        requires_versions: bool = False,
        requires_approvals: bool = False,
    ) -> None:
        self.store = store
        self.requires_approvals = requires_approvals
        self.environment = environment
        self.requires_versions = requires_versions

    # -- changing ---------------------------------------------------------------------------------------------------

    async def create(
        self, actor: Actor, request: ask.FlagCreate, *, idempotency_key: str | None = None, dry_run: bool = False
    ) -> ChangeResult:
        """Add a flag in its default state."""

        async def work(tx: Transaction, context: Context, _: str, request: ask.FlagCreate) -> Outcome:
            return await creation.create(tx, context, request)

        return await self._change(
            Operation.CREATE, work, actor, request.flag_name, request, None, idempotency_key, dry_run
        )

    async def update(
        self,
        actor: Actor,
        flag_name: str,
        request: ask.FlagUpdate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Set state, percentage, cohort or description. Setting ``kill`` kills."""
        urgent = request.current_state is FlagState.KILL
        return await self._change(
            Operation.UPDATE, setting.update, actor, flag_name, request, version, idempotency_key, dry_run, urgent
        )

    async def kill(
        self,
        actor: Actor,
        flag_name: str,
        request: ask.Kill,
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Kill a flag. Goes before every other write that waits."""
        return await self._change(
            Operation.KILL, kill.kill, actor, flag_name, request, None, idempotency_key, dry_run, urgent=True
        )

    async def revive(
        self,
        actor: Actor,
        flag_name: str,
        request: ask.Revive,
        *,
        version: int | None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Clear a kill; needs the version."""
        return await self._change(
            Operation.REVIVE, kill.revive, actor, flag_name, request, version, idempotency_key, dry_run
        )

    async def rollback(
        self,
        actor: Actor,
        flag_name: str,
        request: ask.Rollback,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Undo the newest change that stands, or return to the state right after a named one."""
        return await self._change(
            Operation.ROLLBACK, rollback.rollback, actor, flag_name, request, version, idempotency_key, dry_run
        )

    async def set_override(
        self,
        actor: Actor,
        flag_name: str,
        request: ask.OverrideSet,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Give one tenant its own state."""
        return await self._change(
            Operation.OVERRIDE, override.set_override, actor, flag_name, request, version, idempotency_key, dry_run
        )

    async def remove_override(
        self,
        actor: Actor,
        flag_name: str,
        request: ask.OverrideRemove,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Take a tenant's own state away."""
        return await self._change(
            Operation.OVERRIDE, override.remove_override, actor, flag_name, request, version, idempotency_key, dry_run
        )

    async def archive(
        self,
        actor: Actor,
        flag_name: str,
        request: ask.Archive,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        """Retire a flag and its name. Lowers exposure, so the version is not compared."""
        return await self._change(
            Operation.ARCHIVE, creation.archive, actor, flag_name, request, version, idempotency_key, dry_run
        )

    async def load_catalogue(self, actor: Actor, flags: Sequence[ask.FlagCreate], *, dry_run: bool = False) -> int:
        """Create all flags in one transaction in an empty store, as one correlated set. Returns how many."""
        authorize(actor, Operation.CREATE)
        async with self.store.write() as tx:
            present = await tx.flag_views()
            if present:
                raise StoreNotEmpty(count=len(present))
            context = Context(actor, await tx.now(), correlation_id=uuid4().hex)
            for flag in flags:
                await creation.create(tx, context, flag)
            if dry_run:
                tx.discard()
        return len(flags)

    async def expire_overrides(self) -> int:
        """Record every override whose time is over, each as an automated change. Returns how many there were."""
        async with self.store.read() as reader:
            if not await reader.expired_overrides(await reader.now()):
                return 0
        async with self.store.write() as tx:
            context = Context(SYSTEM, await tx.now())
            expired = await tx.expired_overrides(context.now)
            for item in expired:
                await override.expire(tx, context, item)
        return len(expired)

    async def put_tenants(self, actor: Actor, request: ask.TenantsPut, *, dry_run: bool = False) -> TenantList:
        """Add tenants. Of those that exist, fields that the request leaves out keep their value."""
        authorize(actor, Operation.PUT_TENANTS)
        async with self.store.write() as tx:
            await tx.put_tenants(request.tenants)
            tenants = tuple(await tx.tenants())
            if dry_run:
                tx.discard()
            return TenantList(tenants=tenants)

    async def _change(
        self,
        operation: Operation,
        use_case: UseCase[Request],
        actor: Actor,
        flag_name: str,
        request: Request,
        version: int | None,
        idempotency_key: str | None,
        dry_run: bool,
        urgent: bool = False,
    ) -> ChangeResult:
        authorize(actor, operation)
        second = operation is not Operation.KILL and self.requires_approvals
        # By it a request is known again: by the one who repeats it, and by the second person.
        known_again = second or idempotency_key is not None
        fingerprint = fingerprint_of(operation, actor, flag_name, request) if known_again else ""

        async def work(tx: Transaction) -> ChangeResult:
            approval = await approvals.given(tx, fingerprint) if second else None
            context = Context(
                actor,
                await tx.now(),
                version,
                self.requires_versions,
                needs_approval=second,
                approved_by=None if approval is None else approval.approved_by,
            )
            outcome = await use_case(tx, context, flag_name, request)
            head = await tx.head()
            result = ChangeResult(
                changed=outcome.changed,
                dry_run=dry_run,
                epoch=head.epoch,
                revision=head.revision,
                flag=outcome.flag,
                override=outcome.override,
                change=outcome.change,
            )
            await approvals.use(tx, approval)
            return result if actor.tenant_id is None else result_of_tenant(result, actor.tenant_id)

        done = once(
            self.store,
            work,
            ChangeResult,
            idempotency_key,
            fingerprint,
            version,
            dry_run=dry_run,
            urgent=urgent,
            shares=not urgent and not dry_run,
        )
        if not second:
            return await done
        asked = Asked(actor, fingerprint, operation, flag_name, request.model_dump_json(exclude_unset=True))
        async with put_to_somebody(self.store, asked, dry_run=dry_run):
            return await done

    # -- reading ----------------------------------------------------------------------------------------------------

    async def flags(self, actor: Actor, tenant_id: str | None = None) -> FlagListing:
        """All flags, overrides, and with a tenant what it gets."""
        authorize(actor, Operation.READ_RULES)
        tenant = tenant_of_actor(actor, tenant_id)
        async with self.store.read() as reader:
            views, overrides = await reader.flag_views(), await reader.overrides()
            ruleset = reading.ruleset_of(await reader.head(), views, overrides)
            return reading.listing(ruleset, views, overrides, tenant, await reader.now(), actor=actor)

    async def flag(self, actor: Actor, flag_name: str, tenant_id: str | None = None) -> FlagDetail:
        """One flag, and with a tenant what it gets."""
        authorize(actor, Operation.READ_RULES)
        tenant = tenant_of_actor(actor, tenant_id)
        async with self.store.read() as reader:
            views = await reader.flag_views()
            # What others' overrides say changes nothing of what this tenant gets.
            overrides = [] if tenant is None else await reader.overrides(tenant_id=tenant)
            view = next((view for view in views if view.flag_name == flag_name), None)
            if view is None:
                raise FlagNotFound(flag=flag_name)
            own = None if tenant is None else await reader.override(flag_name, tenant)
            ruleset = reading.ruleset_of(await reader.head(), views, overrides)
            known = None if tenant is None else await reader.tenant_known(tenant)
            return reading.detail(ruleset, view, own, tenant, await reader.now(), actor=actor, tenant_known=known)

    async def history(
        self,
        actor: Actor,
        flag_name: str | None = None,
        *,
        limit: int = 50,
        before: int | None = None,
        tenant_id: str | None = None,
        domain: str | None = None,
    ) -> HistoryPage:
        """A page of the audit log, newest first."""
        authorize(actor, Operation.READ)
        if not 1 <= limit <= HISTORY_LIMIT:
            raise InvalidInput(field="limit", problem=f"must be from 1 to {HISTORY_LIMIT}", value=limit)
        async with self.store.read() as reader:
            return await reading.history(
                reader,
                flag_name,
                limit=limit,
                before=before,
                tenant_id=tenant_of_actor(actor, tenant_id),
                domain=domain,
            )

    async def instances(self, actor: Actor, revision: int | None = None) -> InstanceList:
        """Running SDKs, as they last reported to a server on this store."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return await self._instances(reader, revision)

    async def tenants(self, actor: Actor) -> TenantList:
        """The known tenants."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            return TenantList(tenants=tuple(await reader.tenants()))

    async def blast_radius(self, actor: Actor, flag_name: str, state: FlagState = FlagState.KILL) -> BlastView:
        """What setting the flag to ``state`` would do to the known tenants."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            views, overrides = await reader.flag_views(), await reader.overrides()
            view = next((view for view in views if view.flag_name == flag_name), None)
            if view is None:
                raise FlagNotFound(flag=flag_name)
            ruleset = reading.ruleset_of(await reader.head(), views, overrides)
            tenants = await reader.active_tenant_ids()
            expected = (await self._instances(reader, None)).expected
            return reading.blast_of(ruleset, view, state, tenants, expected, await reader.now())

    async def status(self, actor: Actor) -> Status:
        """The system on one screen."""
        authorize(actor, Operation.READ)
        async with self.store.read() as reader:
            return reading.status_of(
                await reader.head(),
                await reader.flag_views(),
                await reader.overrides(),
                await reader.tenant_count(),
                await self._instances(reader, None),
                actor=actor,
                environment=self.environment,
                requires_versions=self.requires_versions,
                now=await reader.now(),
            )

    async def _instances(self, reader: Reader, revision: int | None) -> InstanceList:
        return reading.instance_list(await reader.head(), await reader.instances(), revision, await reader.now())


def tenant_of_actor(actor: Actor, requested: str | None) -> str | None:
    """The tenant meant: a tenant's key sees its own and no other."""
    if actor.tenant_id is None:
        return requested
    if requested not in {None, actor.tenant_id}:
        raise InvalidInput(field="tenant_id", problem="is not the tenant of this key", value=requested)
    return actor.tenant_id
