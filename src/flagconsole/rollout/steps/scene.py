"""What a step gets to do its work with, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from flagconsole.domain.playbook import Step
from flagconsole.domain.playbook_run import PlaybookRun, StepRecord, StepStatus
from flagconsole.domain.verdict import VerdictKind
from flagconsole.rollout.checks import Fleet
from flagconsole.rollout.response import Response
from flagconsole.rollout.sources import MetricSource
from flagconsole.store.protocol import Store


class Verdicts(Protocol):
    """Tells how a flag does at present."""

    async def verdict(self, flag_name: str, since: datetime, now: datetime) -> VerdictKind:
        """The verdict as of now on what was measured since ``since``; ``no_data`` where nothing is known."""


class Result(NamedTuple):
    """How a step ended, in words that may hold outside text. ``improved`` is what a ``watch`` saw."""

    status: StepStatus
    output: str
    improved: bool | None = None
    change_id: int | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One step of one run at one moment."""

    store: Store
    run: PlaybookRun
    step: Step
    record: StepRecord
    now: datetime
    response: Response
    metrics: MetricSource | None
    verdicts: Verdicts
    fleet: Fleet | None = None

    @property
    def elapsed_minutes(self) -> float:
        """How long ago the step was first started."""
        started = self.record.started_at or self.now
        return (self.now - started).total_seconds() / 60

    @property
    def time_is_over(self) -> bool:
        """Whether the step has had all of its minutes."""
        return self.elapsed_minutes >= (self.step.minutes or 0.0)

    def filled(self, argument: str) -> str:
        """An argument of the playbook with what belongs to this run in it."""
        for name, value in (
            ("{flag}", self.run.flag_name),
            ("{incident}", self.run.incident_id),
            ("{playbook}", self.run.playbook),
        ):
            argument = argument.replace(name, value)
        return argument
