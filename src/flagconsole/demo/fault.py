"""What can go wrong in the demo: a fault in the new code, in everything, or in the reporting itself."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final, Self

from flagconsole.demo.workload import Outcome

#: Of the operations that a fault strikes, how many err, or end in a critical error.
ERROR_SHARE: Final = 0.18
CRITICAL_SHARE: Final = 0.08
#: How many operations of everybody err while the whole service has an incident.
INCIDENT_SHARE: Final = 0.12
#: How many times as long operations take, and how many times as often they make somebody write to support.
SLOWDOWN: Final = 3.0
TICKETS_TIMES: Final = 30.0
FINGERPRINT: Final = "PaymentLinkCurrencyError"


class FaultKind(StrEnum):
    """``incident`` hits every operation of a service, ``silence`` keeps the flag's operations from being reported; the
    others strike where the feature is enabled."""

    ERRORS = "errors"
    LATENCY = "latency"
    CRITICALS = "criticals"
    TICKETS = "tickets"
    INCIDENT = "incident"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of one flag's feature. ``since`` and ``until`` (None: for good) are seconds since the epoch."""

    kind: FaultKind
    flag_name: str
    since: float
    until: float | None = None

    def strikes(self, feature: str, enabled: bool, at: float) -> bool:
        """Whether an operation of ``feature`` that begins ``at`` meets it."""
        if at < self.since or (self.until is not None and at >= self.until):
            return False
        if self.kind is FaultKind.INCIDENT:
            return True
        return feature == self.flag_name and (enabled or self.kind is FaultKind.SILENCE)

    def worsened(self, chance: random.Random, outcome: Outcome) -> Outcome:
        """How the operation goes instead."""
        match self.kind:
            case FaultKind.ERRORS | FaultKind.INCIDENT:
                share = ERROR_SHARE if self.kind is FaultKind.ERRORS else INCIDENT_SHARE
                return _failed(outcome) if chance.random() < share else outcome
            case FaultKind.CRITICALS:
                struck = chance.random() < CRITICAL_SHARE
                return _failed(outcome)._replace(critical=FINGERPRINT) if struck else outcome
            case FaultKind.LATENCY:
                return outcome._replace(seconds=outcome.seconds * SLOWDOWN)
            case FaultKind.TICKETS:
                return outcome._replace(ticket_chance=outcome.ticket_chance * TICKETS_TIMES)
            case FaultKind.SILENCE:
                return outcome

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What ``to_json`` wrote."""
        raw = json.loads(text)
        return cls(**{**raw, "kind": FaultKind(raw["kind"])})


def _failed(outcome: Outcome) -> Outcome:
    return outcome._replace(ok=False, conversion=False)
