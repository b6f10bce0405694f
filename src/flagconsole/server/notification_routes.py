"""Messages to those who subscribe, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from flagconsole.domain.notification import Notification, NotificationList, TrialAnswer
from flagconsole.server.state import Caller, State
from flagconsole.server.strict_route import StrictRoute, problems

router = APIRouter(route_class=StrictRoute)


@router.get("/api/notifications", summary="Messages to those who subscribe", responses=problems())
async def notifications(state: State, actor: Caller) -> NotificationList:
    """This server's subscriptions, how many messages wait and were given up, and the newest 100."""
    return await state.operations.notifications(actor, state.responder.subscriptions())


@router.post("/api/notifications/{notification_id}/retry", summary="Try a message again", responses=problems(404, 409))
async def retry(
    state: State, actor: Caller, notification_id: Annotated[str, Path(min_length=1, max_length=200)]
) -> Notification:
    """One that was given up, or that waits for its next try."""
    return await state.operations.retry_notification(actor, notification_id)


@router.post("/api/subscriptions/{subscription}/test", summary="Send a test message", responses=problems(404))
async def trial(
    state: State, actor: Caller, subscription: Annotated[str, Path(min_length=1, max_length=100)]
) -> TrialAnswer:
    """Send a real message to the subscription's destination now, and answer what that answered."""
    return await state.responder.send_trial(subscription, actor.name)
