"""What is told to those who subscribe: of changes, and of scheduled changes that need a decision.

The log of changes is itself the outbox of what happened: an entry is written in the same transaction as its change, and
whoever leads turns entries into messages from where each subscription stands. So a change waits for nothing, also where it
was made by a process that knows no subscriptions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from flagconsole.domain.change import Change, told_setting
from flagconsole.domain.notification import Notification, Topic
from flagconsole.domain.playbook_run import DeliveryStatus
from flagconsole.domain.schedule import Schedule
from flagconsole.domain.text import safe_text

UNROUTED = "no destination is configured"


class Subscriber(NamedTuple):
    """One who is told: the subscription's name, and the destination's."""

    subscription: str
    destination: str


class Pages(Protocol):
    """Who is paged."""

    @property
    def environment(self) -> str:
        """The environment that messages name."""

    def paged(self, flag_name: str) -> tuple[Subscriber, ...]:
        """Whoever is on call, and who subscribes to scheduled changes of this flag."""


def page_of(schedule: Schedule, now: datetime, pages: Pages) -> list[Notification]:
    """The messages that say that a scheduled change needs a decision. Where nobody is configured that is recorded instead:
    nothing is ever taken for sent that was not."""
    text = (
        f"{pages.environment}: {schedule.flag_name}: the change to {schedule.wanted} that {schedule.created_by} scheduled "
        f"was not carried out: {schedule.because}. Decide: flagconsole set {schedule.flag_name}, or "
        f"flagconsole schedule cancel {schedule.schedule_id}"
    )
    payload = {
        "type": "schedule.needs_decision",
        "environment": pages.environment,
        "flag": schedule.flag_name,
        "schedule_id": schedule.schedule_id,
        "wanted": schedule.wanted,
        "reason": safe_text(schedule.change_reason, 1000),
        "scheduled_by": safe_text(schedule.created_by, 200),
        "because": schedule.because,
        "at": now.isoformat(),
        "text": safe_text(text, 2500),
    }
    found = pages.paged(schedule.flag_name)
    return [
        Notification(
            notification_id=f"{schedule.schedule_id}-{subscriber.subscription}",
            topic=Topic.SCHEDULES,
            flag_name=schedule.flag_name,
            subscription=subscriber.subscription,
            destination=subscriber.destination,
            payload=payload,
            created_at=now,
            next_try_at=now,
        )
        for subscriber in found
    ] or [
        Notification(
            notification_id=f"{schedule.schedule_id}-nobody",
            topic=Topic.SCHEDULES,
            flag_name=schedule.flag_name,
            subscription="nobody",
            destination=None,
            payload=payload,
            status=DeliveryStatus.UNROUTED,
            created_at=now,
            next_try_at=now,
            problem=UNROUTED,
        )
    ]


class Reach(NamedTuple):
    """How many of the active tenants a change gave the feature to, and took it from."""

    enabled: int
    disabled: int
    tenants: int


def notice_of(
    change: Change, environment: str, subscriber: Subscriber, now: datetime, reach: Reach | None
) -> Notification:
    """The message that tells a subscriber of a change."""
    before, after = _told(change, change.previous), _told(change, change.new)
    who = change.changed_by if change.approved_by is None else f"{change.changed_by}, allowed by {change.approved_by}"
    tenant = "" if change.tenant_id is None else f" for tenant {change.tenant_id}"
    text = f"{environment}: {change.flag_name}{tenant}: {before} → {after} by {who}: {change.change_reason}"
    if reach is not None:
        text += f" [{_reached(reach)}]"
    if change.break_glass is not None:
        text += f" [under break-glass {change.break_glass}]"
    payload: dict[str, Any] = {
        "type": "flag.changed",
        "environment": environment,
        "flag": change.flag_name,
        "tenant_id": None if change.tenant_id is None else safe_text(change.tenant_id, 200),
        "action": change.action.value,
        "change_type": change.change_type.value,
        "change_id": change.change_id,
        "epoch": change.epoch,
        "revision": change.revision,
        "version": change.version,
        "before": before,
        "after": after,
        "previous": _counted(change.previous),
        "new": _counted(change.new),
        "reason": safe_text(change.change_reason, 1000),
        "changed_by": safe_text(change.changed_by, 200),
        "approved_by": None if change.approved_by is None else safe_text(change.approved_by, 200),
        "break_glass": change.break_glass,
        "changed_at": change.changed_at.isoformat(),
        "reverts": list(change.reverts),
        "correlation_id": change.correlation_id,
        "blast_radius": None if reach is None else reach._asdict(),
        "text": safe_text(text, 2500),
    }
    return Notification(
        notification_id=f"{change.epoch}-{change.change_id}-{subscriber.subscription}",
        topic=Topic.CHANGES,
        flag_name=change.flag_name,
        subscription=subscriber.subscription,
        destination=subscriber.destination,
        payload=payload,
        created_at=now,
        next_try_at=now,
    )


def _reached(reach: Reach) -> str:
    told = [
        f"{many} of {reach.tenants} tenants {verb} it"
        for many, verb in ((reach.enabled, "get"), (reach.disabled, "lose"))
        if many
    ]
    return ", ".join(told) or f"none of {reach.tenants} tenants gets or loses it"


def _told(change: Change, value: dict[str, Any] | None) -> str:
    """One side of a change in words."""
    if change.tenant_id is not None:
        return "no override" if value is None else f"override {safe_text(value.get('override_state'), 20)}"
    return told_setting(value) or "none"


#: Lists of tenants, which are told by their length: who the customers are is nobody's business out there.
_LISTS = ("canary_tenant_ids", "canary_holdout_ids")


def _counted(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is None:
        return None
    told = {name: item for name, item in value.items() if name not in _LISTS}
    for name in _LISTS:
        item = value.get(name)
        if isinstance(item, Sequence):
            told[name.removesuffix("_ids")] = len(item)
    return told
