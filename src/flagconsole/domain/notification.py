"""Notifications: messages about changes and scheduled changes to those who subscribe, kept until they are delivered."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime

from flagconsole.domain.flag import Frozen
from flagconsole.domain.playbook_run import DeliveryStatus


class Topic(StrEnum):
    """What a message is about: a change of a flag, or a scheduled change that needs a decision."""

    CHANGES = "changes"
    SCHEDULES = "schedules"


class Notification(Frozen):
    """One message to one destination. Its id is the receiver's means against doubles. Messages of one subscription about one
    flag are delivered in the order of ``number``, which the store gives."""

    notification_id: str
    number: int = 0
    topic: Topic
    flag_name: str
    subscription: str
    destination: str | None
    payload: dict[str, Any]
    status: DeliveryStatus = DeliveryStatus.WAITING
    attempts: int = 0
    created_at: AwareDatetime
    next_try_at: AwareDatetime
    delivered_at: AwareDatetime | None = None
    problem: str = ""


class SubscriptionView(Frozen):
    """A subscription as it can be shown: never an address, which may hold a secret."""

    name: str
    destination: str
    kind: str
    signed: bool
    topics: tuple[Topic, ...]
    flags: tuple[str, ...]


class NotificationList(Frozen):
    """``GET /api/notifications``: who subscribes, how many messages wait and were given up, and the newest messages."""

    subscriptions: tuple[SubscriptionView, ...]
    waiting: int
    given_up: int
    unrouted: int
    notifications: tuple[Notification, ...]


class TrialAnswer(Frozen):
    """What a subscription's destination answered to a test message; ``status`` is null where none came."""

    subscription: str
    destination: str
    delivered: bool
    status: int | None = None
    answer: str = ""
    problem: str = ""
