"""The use cases of scheduled changes and of notifications; a part of ``Operations``."""

from __future__ import annotations

from typing import Final

from flagconsole.domain.act import ActKind
from flagconsole.domain.errors import FlagNotFound, InvalidInput, NotificationNotFound, NotificationNotGivenUp
from flagconsole.domain.notification import Notification, NotificationList, SubscriptionView
from flagconsole.domain.playbook_run import DeliveryStatus
from flagconsole.domain.role import Actor
from flagconsole.domain.schedule import ScheduleCancel, ScheduleCreate, ScheduleList, ScheduleView
from flagconsole.operations import approvals, schedules
from flagconsole.operations.acts import record
from flagconsole.operations.approvals import Asked, put_to_somebody
from flagconsole.operations.context import Context
from flagconsole.operations.once import fingerprint_of, fingerprint_of_parts, once
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Store, Transaction

SCHEDULES_LIMIT: Final = 500
_LISTED: Final = 100


class ScheduleOperations:
    """Scheduled changes on one store, and the messages about them and about changes."""

    store: Store
    requires_versions: bool
    requires_approvals: bool

    async def schedule(
        self,
        actor: Actor,
        flag_name: str,
        request: ScheduleCreate,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ScheduleView:
        """Put a change down for later."""
        authorize(actor, Operation.SCHEDULE)
        fingerprint = fingerprint_of(Operation.SCHEDULE, actor, flag_name, request)
        asked = Asked(actor, fingerprint, Operation.SCHEDULE, flag_name, request.model_dump_json(exclude_unset=True))

        async def work(tx: Transaction) -> ScheduleView:
            approval = await approvals.given(tx, fingerprint) if self.requires_approvals else None
            context = Context(
                actor,
                await tx.now(),
                version,
                self.requires_versions,
                needs_approval=self.requires_approvals,
                approved_by=None if approval is None else approval.approved_by,
            )
            made = await schedules.create(tx, context, flag_name, request)
            await approvals.use(tx, approval)
            await record(
                tx,
                actor,
                context.now,
                ActKind.SCHEDULE_CREATED,
                made.schedule_id,
                reason=made.change_reason,
                details={
                    "flag_name": flag_name,
                    "wanted": made.wanted,
                    "at": None if made.at is None else made.at.isoformat(),
                    "after": None if made.after is None else made.after.model_dump(mode="json"),
                    "decided_version": made.decided_version,
                    "approved_by": made.approved_by,
                },
            )
            return (await schedules.view_of(tx, made)).model_copy(update={"dry_run": dry_run})

        async with put_to_somebody(self.store, asked, dry_run=dry_run):
            return await once(self.store, work, ScheduleView, idempotency_key, fingerprint, version, dry_run=dry_run)

    async def cancel_schedule(
        self,
        actor: Actor,
        schedule_id: str,
        request: ScheduleCancel,
        *,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ScheduleView:
        """Let a scheduled change not happen."""
        authorize(actor, Operation.HOLD)
        fingerprint = fingerprint_of_parts(actor, "cancel_schedule", schedule_id, request.cancel_reason)

        async def work(tx: Transaction) -> ScheduleView:
            context = Context(actor, await tx.now())
            before = await tx.schedule(schedule_id)
            cancelled = await schedules.cancel(tx, context, schedule_id, request.cancel_reason)
            if before != cancelled:
                kind, details = ActKind.SCHEDULE_CANCELLED, {"flag_name": cancelled.flag_name}
                reason = request.cancel_reason
                await record(tx, actor, context.now, kind, schedule_id, reason=reason, details=details)
            return (await schedules.view_of(tx, cancelled)).model_copy(update={"dry_run": dry_run})

        return await once(self.store, work, ScheduleView, idempotency_key, fingerprint, dry_run=dry_run)

    async def schedules(
        self, actor: Actor, flag_name: str | None = None, *, open_only: bool = False, limit: int = _LISTED
    ) -> ScheduleList:
        """Scheduled changes of one flag or of all, open ones first."""
        authorize(actor, Operation.READ_FLEET)
        if not 1 <= limit <= SCHEDULES_LIMIT:
            raise InvalidInput(field="limit", problem=f"must be from 1 to {SCHEDULES_LIMIT}", value=limit)
        async with self.store.read() as reader:
            found = await reader.schedules(flag_name=flag_name, open_only=open_only, limit=limit)
            if flag_name is not None and not found and await reader.flag(flag_name) is None:
                raise FlagNotFound(flag=flag_name)
            views = [await schedules.view_of(reader, schedule) for schedule in found]
            return ScheduleList(now=await reader.now(), schedules=tuple(views))

    async def notifications(self, actor: Actor, subscriptions: tuple[SubscriptionView, ...] = ()) -> NotificationList:
        """The newest messages, what waits and what was given up; ``subscriptions`` are those of whoever asks."""
        authorize(actor, Operation.READ_FLEET)
        async with self.store.read() as reader:
            counts = await reader.notifications_by_status()
            newest = await reader.notifications(_LISTED)
        return NotificationList(
            subscriptions=subscriptions,
            waiting=counts.get(DeliveryStatus.WAITING.value, 0),
            given_up=counts.get(DeliveryStatus.GIVEN_UP.value, 0),
            unrouted=counts.get(DeliveryStatus.UNROUTED.value, 0),
            notifications=tuple(newest),
        )

    async def retry_notification(self, actor: Actor, notification_id: str) -> Notification:
        """Try a message again that was given up, or one that waits for its next try now."""
        authorize(actor, Operation.NOTIFY)
        async with self.store.write() as tx:
            found = await tx.notification(notification_id)
            if found is None:
                raise NotificationNotFound(notification_id=notification_id)
            if found.status not in {DeliveryStatus.GIVEN_UP, DeliveryStatus.WAITING}:
                raise NotificationNotGivenUp(notification_id=notification_id, state=found.status.value)
            again = found.model_copy(
                update={"status": DeliveryStatus.WAITING, "attempts": 0, "next_try_at": await tx.now()}
            )
            await tx.save_notification(again)
            return again
