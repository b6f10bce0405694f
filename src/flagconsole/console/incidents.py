"""What the console knows of each incident and its playbook: light rows read from the API's JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from flagconsole.console.json_values import number, whole
from flagconsole.console.rows import Json, seconds_of
from flagconsole.domain.incident_standing import Standing, standing_of, step_waits

_RUN_ACTIVE: Final = {"pending", "running", "stopped"}


class RunStepRow(NamedTuple):
    """One step of a playbook's run; times are seconds since the epoch, the estimate minutes."""

    step: str
    kind: str
    title: str
    estimate: float
    status: str
    attempt: int
    started_at: float | None
    finished_at: float | None
    output: str
    by: str

    @property
    def waits(self) -> bool:
        """Whether a person has to say what was done or found."""
        return step_waits(self.kind, self.status)


class PointRow(NamedTuple):
    """One point of the list at the end; ``result`` is ``ok``, ``not_ok``, ``unknown``, or empty while nobody has looked."""

    name: str
    text: str
    result: str
    found: str
    by: str


class RunRow(NamedTuple):
    """A playbook's run."""

    run_id: str
    playbook: str
    status: str
    reason: str
    created_at: float
    finished_at: float | None
    estimate: float | None
    frozen: bool
    problem: str
    steps: tuple[RunStepRow, ...]
    points: tuple[PointRow, ...]

    @property
    def active(self) -> bool:
        """Whether something is still to be done, by the system or by a person."""
        return self.status in _RUN_ACTIVE

    @property
    def current(self) -> RunStepRow | None:
        """The step that runs or waits, else the next one; None where nothing is left."""
        under_way = [step for step in self.steps if step.status == "started" or step.waits]
        left = under_way or [step for step in self.steps if step.status == "pending"]
        return left[0] if left and self.active else None


class IncidentRow(NamedTuple):
    """One incident. ``affected`` and ``impact`` are None and empty until they were counted; durations are minutes."""

    incident_id: str
    flag_name: str
    playbook: str
    trigger: str
    opened_by: str
    state_before: str
    tenant_id: str | None
    change_ids: tuple[int, ...]
    started_at: float
    completed_at: float | None
    closed_at: float | None
    closed_by: str
    restoration: float | None
    estimate: float | None
    affected: int | None
    tenants_known: int
    impact: str
    impact_overridden: bool
    root_cause: str
    resolution_steps: tuple[str, ...]
    prevention: str
    post_mortem_due: bool
    communication_due: bool
    run: RunRow | None

    @property
    def open(self) -> bool:
        """Whether nobody has closed it."""
        return self.closed_at is None

    @property
    def waits_for(self) -> RunStepRow | None:
        """The step that needs a person's word; None where none does."""
        steps = self.run.steps if self.run is not None and self.run.active else ()
        return next((step for step in steps if step.waits), None)

    @property
    def standing(self) -> Standing:
        """Whether it needs somebody, and whether service is restored."""
        return standing_of(
            closed=not self.open,
            restored=self.completed_at is not None,
            waits=self.waits_for is not None,
            run=None if self.run is None else self.run.status,
        )

    @property
    def left_to_people(self) -> str:
        """What somebody has to do of a playbook that no runner took; empty where there is no such."""
        if not self.open or self.run is None or self.run.status != "expired":
            return ""
        if self.completed_at is None:
            return "stop it by hand (K, R), then close it (X)"
        return "every SDK has the change without it: close it (X) when all is well"

    def elapsed(self, now: float) -> float:
        """Seconds from its start until service was restored, or until ``now``."""
        return max(0.0, (now if self.completed_at is None else self.completed_at) - self.started_at)


class TimelineRow(NamedTuple):
    """Something that happened during an incident."""

    at: float
    kind: str
    text: str
    actor: str


class NoticeRow(NamedTuple):
    """Who was to be told, and what became of it."""

    audience: str
    destination: str
    status: str
    problem: str


class IncidentStory(NamedTuple):
    """What is known of an incident beside its row: the tenants (id, name) that it reached, its timeline, its notices."""

    incident_id: str
    affected: tuple[tuple[str, str], ...]
    timeline: tuple[TimelineRow, ...]
    notices: tuple[NoticeRow, ...]


def incident_row(data: Json) -> IncidentRow:
    """The row of an incident as the API spells it."""
    run = data.get("run")
    tenant = data.get("tenant_id")
    affected = data.get("affected")
    return IncidentRow(
        str(data["incident_id"]),
        str(data["flag_name"]),
        str(data.get("playbook") or ""),
        str(data.get("trigger") or ""),
        str(data.get("opened_by") or ""),
        str(data.get("state_before") or ""),
        tenant if isinstance(tenant, str) else None,
        tuple(whole(item) for item in data.get("change_ids") or ()),
        seconds_of(data.get("started_at")) or 0.0,
        seconds_of(data.get("completed_at")),
        seconds_of(data.get("closed_at")),
        str(data.get("closed_by") or ""),
        number(data.get("restoration_minutes")),
        number(data.get("estimate_minutes")),
        affected if isinstance(affected, int) and not isinstance(affected, bool) else None,
        whole(data.get("tenants_known")),
        str(data.get("impact") or ""),
        data.get("impact_overridden") is True,
        str(data.get("root_cause") or ""),
        tuple(map(str, data.get("resolution_steps") or ())),
        str(data.get("prevention") or ""),
        data.get("post_mortem_due") is True,
        data.get("communication_due") is True,
        _run_row(run) if isinstance(run, Mapping) else None,
    )


def incident_story(data: Json) -> IncidentStory:
    """The story in ``GET /api/incidents/{id}``."""
    incident = data["incident"]
    return IncidentStory(
        str(incident["incident_id"]),
        tuple(
            (str(item.get("tenant_id") or ""), str(item.get("name") or ""))
            for item in _objects(data, "affected_tenants")
        ),
        tuple(
            TimelineRow(
                seconds_of(item.get("at")) or 0.0,
                str(item.get("kind") or ""),
                str(item.get("text") or ""),
                str(item.get("actor") or ""),
            )
            for item in _objects(data, "timeline")
        ),
        tuple(
            NoticeRow(
                str(item.get("audience") or ""),
                str(item.get("destination") or ""),
                str(item.get("status") or ""),
                str(item.get("problem") or ""),
            )
            for item in _objects(data, "notices")
        ),
    )


def in_order(incidents: Mapping[str, IncidentRow]) -> list[IncidentRow]:
    """Open ones first, each the newest first."""
    return sorted(incidents.values(), key=lambda row: (not row.open, -row.started_at, row.incident_id))


def of_flag(incidents: Mapping[str, IncidentRow], flag_name: str) -> IncidentRow | None:
    """The flag's newest open incident; None where there is none."""
    return next((row for row in in_order(incidents) if row.flag_name == flag_name and row.open), None)


def _run_row(data: Json) -> RunRow:
    return RunRow(
        str(data.get("run_id") or ""),
        str(data.get("playbook") or ""),
        str(data.get("status") or ""),
        str(data.get("reason") or ""),
        seconds_of(data.get("created_at")) or 0.0,
        seconds_of(data.get("finished_at")),
        number(data.get("estimate_minutes")),
        data.get("frozen") is True,
        str(data.get("problem") or ""),
        tuple(
            RunStepRow(
                str(item.get("step") or ""),
                str(item.get("kind") or ""),
                str(item.get("title") or ""),
                number(item.get("estimate_minutes")) or 0.0,
                str(item.get("status") or ""),
                whole(item.get("attempt")),
                seconds_of(item.get("started_at")),
                seconds_of(item.get("finished_at")),
                str(item.get("output") or ""),
                str(item.get("by") or ""),
            )
            for item in _objects(data, "steps")
        ),
        tuple(
            PointRow(
                f"verification_{index}",
                str(item.get("text") or ""),
                str(item.get("result") or ""),
                str(item.get("found") or ""),
                str(item.get("by") or ""),
            )
            for index, item in enumerate(_objects(data, "verifications"), start=1)
        ),
    )


def _objects(data: Json, name: str) -> Sequence[Json]:
    found = data.get(name)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list | tuple) else []
