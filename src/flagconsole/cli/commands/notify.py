"""``notify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import moment, print_json, print_table, say, talk, when
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.table import Cell
    from flagconsole.cli.target import Target
    from flagconsole.domain.notification import Notification, NotificationList, TrialAnswer

_FAILED = 1


@click.group("notify", cls=SuggestingGroup)
def notify() -> None:
    """See who is told of changes, test it, and send again what didn't arrive."""


@notify.command("list")
@prints
def list_notifications(invocation: Invocation) -> None:
    """Show the subscriptions, and what became of the newest messages."""

    async def work(backend: Backend, target: Target) -> NotificationList:
        return await backend.notifications()

    found = invocation.run(work)
    if invocation.as_json:
        print_json(found)
        return
    if found.subscriptions:
        header = ["SUBSCRIPTION", "DESTINATION", "KIND", "SIGNED", "TOPICS", "FLAGS"]
        print_table(
            header,
            [
                [
                    subscription.name,
                    subscription.destination,
                    subscription.kind,
                    "yes" if subscription.signed else "no",
                    ", ".join(subscription.topics),
                    ", ".join(subscription.flags),
                ]
                for subscription in found.subscriptions
            ],
        )
    else:
        talk("no server was asked, or it has no subscriptions: see --response of flagconsole serve")
    say(f"{found.waiting} waiting, {found.given_up} given up, {found.unrouted} without a destination")
    if found.notifications:
        header = ["MESSAGE", "WHEN", "FLAG", "TO", "STATE", "PROBLEM"]
        print_table(header, [_row(notification) for notification in found.notifications])


@notify.command("test")
@click.argument("subscription", metavar="NAME")
@click.option(
    "--response",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Send it from here, by this file, instead of from the server.",
)
@prints
def test(invocation: Invocation, subscription: str, response: Path | None) -> int:
    """Send a real test message to a subscription's destination, and show what it answered."""

    async def work(backend: Backend, target: Target) -> TrialAnswer:
        return await backend.send_trial(subscription)

    answer = _sent_from_here(response, subscription) if response is not None else invocation.run(work)
    if invocation.as_json:
        print_json(answer)
    else:
        name = f"{safe_text(answer.subscription, 100)} ({safe_text(answer.destination, 100)})"
        said = f": {safe_text(answer.answer, 200)}" if answer.answer else ""
        if answer.delivered:
            say(f"{name}: delivered, HTTP status {answer.status}{said}")
        else:
            say(f"{name}: not delivered: {safe_text(answer.problem, 300)}{said}")
    return 0 if answer.delivered else _FAILED


@notify.command("retry")
@click.argument("notification_id", metavar="ID")
@prints
def retry(invocation: Invocation, notification_id: str) -> None:
    """Try a message again that was given up, or that waits for its next try."""

    async def work(backend: Backend, target: Target) -> Notification:
        return await backend.retry_notification(notification_id)

    notification = invocation.run(work)
    if invocation.as_json:
        print_json(notification)
    else:
        say(f"{safe_text(notification.notification_id, 200)}: will be tried again now")


def _row(notification: Notification) -> list[Cell | str]:
    state = notification.status.value.replace("_", " ")
    if notification.delivered_at is not None:
        state += f" {moment(notification.delivered_at)}"
    elif notification.attempts:
        state += f", tried {notification.attempts} times, next {moment(notification.next_try_at)}"
    return [
        notification.notification_id,
        when(notification.created_at),
        notification.flag_name,
        notification.subscription,
        state,
        notification.problem,
    ]


def _sent_from_here(path: Path, subscription: str) -> TrialAnswer:
    import asyncio
    from datetime import UTC, datetime

    from flagconsole.cli.embedded import local_actor
    from flagconsole.rollout.notifier import send_trial
    from flagconsole.rollout.outgoing import guarded_client
    from flagconsole.rollout.response import read_response

    response = read_response(path)

    async def sent() -> TrialAnswer:
        async with guarded_client(response.private_hosts) as connection:
            return await send_trial(connection, response, subscription, local_actor().name, datetime.now(UTC))

    return asyncio.run(sent())
