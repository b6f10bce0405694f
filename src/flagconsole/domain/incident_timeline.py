"""The timeline of an incident, joined from everything that is known of it, in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from flagconsole.domain.change import Change
from flagconsole.domain.duration import took_text
from flagconsole.domain.incident import Incident, TimelineEntry, TimelineKind
from flagconsole.domain.instance import Instance
from flagconsole.domain.playbook_run import Delivery, DeliveryStatus, PlaybookRun, StepRecord
from flagconsole.domain.rollout import StoredVerdict
from flagconsole.domain.urgency import Urgency
from flagconsole.domain.verdict import VerdictKind


def timeline(
    incident: Incident,
    *,
    changes: Iterable[Change],
    verdicts: Iterable[StoredVerdict],
    instances: Iterable[Instance],
    runs: Sequence[tuple[PlaybookRun, Sequence[StepRecord]]],
    deliveries: Iterable[Delivery],
) -> tuple[TimelineEntry, ...]:
    """All entries, oldest first. What happened at the same moment stays in the order: changes, receipts, steps, notices."""
    entries = [
        *_changes(changes),
        _entry(incident.started_at, TimelineKind.INCIDENT, f"opened: {incident.first_trigger}", incident.opened_by),
        *_verdicts(verdicts),
        *_receipts(incident, instances),
        *(entry for run, steps in runs for entry in _run(run, steps)),
        *_deliveries(deliveries),
    ]
    if incident.completed_at is not None:
        took = took_text(60 * (incident.restoration_minutes or 0))
        entries.append(_entry(incident.completed_at, TimelineKind.INCIDENT, f"service restored after {took}"))
    if incident.closed_at is not None:
        entries.append(_entry(incident.closed_at, TimelineKind.INCIDENT, "closed", incident.closed_by or ""))
    return tuple(sorted(entries, key=lambda entry: entry.at))


def _entry(at: datetime, kind: TimelineKind, text: str, actor: str = "") -> TimelineEntry:
    return TimelineEntry(at=at, kind=kind, text=text, actor=actor)


def _changes(changes: Iterable[Change]) -> Iterable[TimelineEntry]:
    for change in sorted(changes, key=lambda item: item.change_id):
        whom = "" if change.tenant_id is None else f" for {change.tenant_id}"
        moved = f"{change.previous_setting or 'nothing'} → {change.new_setting or 'nothing'}"
        what = f"change {change.change_id}: {change.action.value}{whom}, {moved}: {change.change_reason}"
        yield _entry(change.changed_at, TimelineKind.CHANGE, what, change.changed_by)


def _verdicts(verdicts: Iterable[StoredVerdict]) -> Iterable[TimelineEntry]:
    """A verdict is told where it differs from the one before it, not at every look; those of a watch, which go on beside the
    phase's own, from those of the same watch."""
    previous: dict[datetime | None, tuple[str, VerdictKind, Urgency | None]] = {}
    for verdict in sorted(verdicts, key=lambda item: item.at):
        said = (verdict.phase, verdict.kind, verdict.urgency)
        if previous.get(verdict.watched_since) != said:
            because = f": {verdict.because}" if verdict.because else ""
            text = f"verdict on {verdict.phase}: {verdict.kind.value}{because}"
            yield _entry(verdict.at, TimelineKind.VERDICT, text)
        previous[verdict.watched_since] = said


def _receipts(incident: Incident, instances: Iterable[Instance]) -> Iterable[TimelineEntry]:
    """When the last instance confirmed each change. An instance only keeps its newest receipt, so changes that were
    followed by others are told by the steps that verified them."""
    known = list(instances)
    for change_id in incident.change_ids:
        at = [item.received_at for item in known if item.revision == change_id and item.received_at is not None]
        if at:
            text = f"{len(at)} instance{'s' if len(at) != 1 else ''} confirmed revision {change_id}"
            yield _entry(max(at), TimelineKind.RECEIPTS, text)


def _run(run: PlaybookRun, steps: Sequence[StepRecord]) -> Iterable[TimelineEntry]:
    yield _entry(run.created_at, TimelineKind.STEP, f"playbook {run.playbook} called for", run.started_by)
    for step in steps:
        if step.started_at is not None and step.started_at != step.finished_at:
            yield _entry(step.started_at, TimelineKind.STEP, f"{step.title}: started")
        if step.finished_at is not None:
            output = f" ({step.output})" if step.output else ""
            yield _entry(
                step.finished_at, TimelineKind.STEP, f"{step.title}: {step.status.value}{output}", step.by or ""
            )
    for item in run.verifications:
        if item.result is not None and item.at is not None:
            found = f" ({item.found})" if item.found else ""
            yield _entry(
                item.at, TimelineKind.STEP, f"verified: {item.text}: {item.result.value}{found}", item.by or ""
            )
    if run.finished_at is not None:
        problem = f": {run.problem}" if run.problem else ""
        yield _entry(run.finished_at, TimelineKind.STEP, f"playbook {run.playbook} {run.status.value}{problem}")


def _deliveries(deliveries: Iterable[Delivery]) -> Iterable[TimelineEntry]:
    """Each by itself, but for those that nobody could be told of for the same reason: they share one entry."""
    unrouted: dict[tuple[datetime, str, str], list[str]] = {}
    for delivery in deliveries:
        if delivery.status is DeliveryStatus.UNROUTED:
            unrouted.setdefault((delivery.created_at, delivery.topic, delivery.problem), []).append(delivery.audience)
        else:
            yield from _delivery(delivery)
    for (at, topic, problem), audiences in unrouted.items():
        text = f"nobody told for {', '.join(audiences)} ({topic}): {problem}"
        yield _entry(at, TimelineKind.NOTICE, text)


def _delivery(delivery: Delivery) -> Iterable[TimelineEntry]:
    whom = f"{delivery.audience} ({delivery.topic})"
    if delivery.status is DeliveryStatus.DELIVERED and delivery.delivered_at is not None:
        yield _entry(delivery.delivered_at, TimelineKind.NOTICE, f"told {whom} at {delivery.destination}")
    elif delivery.status is DeliveryStatus.GIVEN_UP:
        text = f"could not tell {whom} at {delivery.destination}: {delivery.problem}"
        yield _entry(delivery.next_try_at, TimelineKind.NOTICE, text)
