"""What every store can do with incidents, runs of playbooks and the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook_run import Delivery, PlaybookRun, StepRecord


class IncidentReader(Protocol):
    """Reading incidents."""

    async def incident_count(self) -> int:
        """How many incidents there have ever been."""

    async def incident(self, incident_id: str) -> Incident | None:
        """One incident."""

    async def incidents(
        self, *, flag_name: str | None = None, open_only: bool = False, limit: int = 50
    ) -> list[Incident]:
        """Incidents, newest first."""

    async def incident_under_way(self, flag_name: str) -> Incident | None:
        """The flag's newest open incident whose service isn't restored, those of single tenants left out."""

    async def waiting_incidents(self, limit: int) -> list[Incident]:
        """Open incidents whose service isn't restored, or whose tenants nobody has counted, oldest first."""

    async def incidents_touched_after(self, touched: int, limit: int) -> list[tuple[int, Incident]]:
        """Incidents that something was written about, with its number, oldest write first."""

    async def incidents_touched(self) -> int:
        """The number of the newest write about any incident."""

    async def tenant_names(self) -> dict[str, str]:
        """The names of all tenants by id, those that are not active included."""

    async def active_runs(self) -> list[PlaybookRun]:
        """The runs that aren't over, oldest first."""

    async def active_run(self, flag_name: str) -> PlaybookRun | None:
        """The flag's run that isn't over."""

    async def run(self, run_id: str) -> PlaybookRun | None:
        """One run."""

    async def runs_of(self, incident_id: str) -> list[PlaybookRun]:
        """The runs of an incident, oldest first."""

    async def steps_of(self, run_id: str) -> list[StepRecord]:
        """The steps of a run, in order."""

    async def deliveries_of(self, incident_id: str) -> list[Delivery]:
        """Who is told of an incident, in the order of the next tries."""

    async def due_deliveries(self, now: datetime, limit: int) -> list[Delivery]:
        """What waits and is to be tried now, the most overdue first."""


class IncidentTransaction(IncidentReader, Protocol):
    """Writing incidents, in the same transaction as what they tell of."""

    async def save_incident(self, incident: Incident) -> None:
        """Add or replace an incident."""

    async def save_run(self, run: PlaybookRun) -> None:
        """Add or replace a run. Raises ``PlaybookUnderWay`` for a second active one of a flag."""

    async def save_step(self, step: StepRecord) -> None:
        """Add or replace a step of a run."""

    async def enqueue(self, delivery: Delivery) -> bool:
        """Add a delivery. False where its id is known: then it was enqueued before."""

    async def save_delivery(self, delivery: Delivery) -> None:
        """Replace a delivery."""
