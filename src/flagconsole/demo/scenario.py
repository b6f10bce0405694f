"""The demo's scenarios: what goes wrong with the canary, and what should come of it."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Final, NamedTuple

from flagconsole.demo.fault import Fault, FaultKind
from flagconsole.domain.playbook import GRADUAL, IMMEDIATE, KILL_SWITCH

#: The flag whose canary is under judgement in every scenario.
JUDGED_FLAG: Final = "invoices.payment_links"
#: A fault begins with a bucket of the SDKs (seconds), so that the store can say exactly which operations met it.
BUCKET_SECONDS: Final = 5
#: An incident of everybody is over after this many seconds.
INCIDENT_SECONDS: Final = 45


class Scenario(StrEnum):
    """What the demo can show."""

    HEALTHY = "healthy"
    ERRORS = "errors"
    LATENCY = "latency"
    CRITICALS = "criticals"
    TICKETS = "tickets"
    INCIDENT_FOR_ALL = "incident-for-all"
    NO_DATA = "no-data"


class Story(NamedTuple):
    """What happens in a scenario: the fault, and the playbook that should answer it (None: none should). ``seconds`` is how
    long it is watched after the fault: until then the outcome has to be there, or nothing may have happened. By then a
    healthy canary's phase has had its minimum."""

    fault: FaultKind | None
    playbook: str | None
    seconds: float


STORIES: Final[dict[Scenario, Story]] = {
    Scenario.HEALTHY: Story(None, None, 120),
    Scenario.ERRORS: Story(FaultKind.ERRORS, IMMEDIATE, 160),
    Scenario.LATENCY: Story(FaultKind.LATENCY, GRADUAL, 170),
    Scenario.CRITICALS: Story(FaultKind.CRITICALS, KILL_SWITCH, 160),
    Scenario.TICKETS: Story(FaultKind.TICKETS, GRADUAL, 170),
    Scenario.INCIDENT_FOR_ALL: Story(FaultKind.INCIDENT, None, 120),
    Scenario.NO_DATA: Story(FaultKind.SILENCE, None, 120),
}


def fault_of(scenario: Scenario, now: float) -> Fault | None:
    """The scenario's fault, from the next whole bucket on that every service hears of in time."""
    kind = STORIES[scenario].fault
    if kind is None:
        return None
    since = math.ceil((now + 1.0) / BUCKET_SECONDS) * BUCKET_SECONDS
    return Fault(kind, JUDGED_FLAG, since, since + INCIDENT_SECONDS if kind is FaultKind.INCIDENT else None)
