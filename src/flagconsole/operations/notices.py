"""Notices: put into the outbox in the same transaction as what they tell of, and delivered later by somebody else."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, Protocol

from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook_run import Delivery, DeliveryStatus, PlaybookRun
from flagconsole.domain.text import safe_text
from flagconsole.operations.context import Context
from flagconsole.store.protocol import Transaction

UNROUTED = "no destination is configured"


class Route(NamedTuple):
    """Where an audience is reached: a destination's name, and the name of the key its messages are signed with."""

    destination: str
    secret: str | None


class Routing(Protocol):
    """Who is reached where."""

    @property
    def environment(self) -> str:
        """The environment that messages name."""

    def routes(self, audience: str) -> tuple[Route, ...]:
        """The destinations of an audience; none where nobody has configured any."""


async def tell(
    tx: Transaction,
    context: Context,
    routing: Routing,
    incident: Incident,
    run: PlaybookRun,
    *,
    topic: str,
    audience: str,
    text: str,
    within_minutes: float = 0.0,
) -> int:
    """Enqueue a notice for each destination of the audience; returns how many there are. Where there is none, that is
    recorded instead: nothing is ever taken for sent that was not.

    What may wait is sent at half of its time, so that a mistake can be cleared up before customers read of it, and a
    failed delivery can be tried again before the time is over.
    """
    due = incident.started_at + timedelta(minutes=within_minutes / 2)
    payload = {
        "topic": topic,
        "incident_id": incident.incident_id,
        "flag": incident.flag_name,
        "playbook": run.playbook,
        "environment": routing.environment,
        "audience": audience,
        "trigger": safe_text(incident.trigger),
        "started_at": incident.started_at.isoformat(),
        "text": safe_text(text),
    }
    routes = routing.routes(audience)
    for route in routes or (None,):
        name = "none" if route is None else route.destination
        delivery = Delivery(
            delivery_id=f"{run.run_id}:{topic}:{audience}:{name}",
            incident_id=incident.incident_id,
            topic=topic,
            audience=audience,
            destination=None if route is None else route.destination,
            payload=payload,
            secret=None if route is None else route.secret,
            status=DeliveryStatus.UNROUTED if route is None else DeliveryStatus.WAITING,
            created_at=context.now,
            next_try_at=max(due, context.now),
            problem=UNROUTED if route is None else "",
        )
        await tx.enqueue(delivery)
    return len(routes)


async def tell_of_opening(
    tx: Transaction, context: Context, routing: Routing, incident: Incident, run: PlaybookRun
) -> None:
    """Enqueue what the run's playbook says about who is told, and when."""
    assert run.definition is not None, "a run is planned before anybody is told"
    estimate = run.definition.estimate_for(run.flag_name)
    text = (
        f"{routing.environment}: {incident.flag_name}: {incident.trigger}. "
        f"Playbook {run.playbook}, estimated {estimate:g} min. Incident {incident.incident_id}."
    )
    for notice in run.definition.notices:
        await tell(
            tx,
            context,
            routing,
            incident,
            run,
            topic="opened",
            audience=notice.audience,
            text=text,
            within_minutes=notice.within_minutes,
        )
