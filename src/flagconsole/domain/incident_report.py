"""An incident as Markdown, for the post-mortem. Nothing that came from outside can become markup or a control code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from flagconsole.domain.duration import took_text
from flagconsole.domain.incident_views import IncidentDetail, IncidentView, RunView
from flagconsole.domain.text import safe_text

#: Tenants that are listed by name; the number of the others is told.
TENANTS_LISTED: Final = 500
#: What would be markup where it stands: an underscore inside a word, a comparison sign or an ampersand between words isn't.
_MARKUP = re.compile(
    r"([`~|\[]|\\(?=[!-/:-@\[-`{-~]|$)|<(?=[A-Za-z/!?])|&(?=#?[A-Za-z0-9]+;)"
    r"|(?<!\s)\*|\*(?!\s|$)|(?<![^\W_])_|_(?![^\W_]))"
    r"|^(\s*)([#+=>*-])|^(\s*[0-9]+)([.)])"
)
_LONGEST: Final = 4000


def to_markdown(detail: IncidentDetail) -> str:
    """The whole report: facts, what is due, the steps, the tenants, the timeline."""
    return "\n".join([*_head(detail.incident), *_prose(detail.incident), *_steps(detail), *_tail(detail)]) + "\n"


def escaped(value: object) -> str:
    """Outside text as Markdown shows it literally, on one line."""
    return _MARKUP.sub(_escape, safe_text(value, _LONGEST))


def _escape(match: re.Match[str]) -> str:
    """Markup anywhere, and what begins a heading or a list where it begins a line."""
    anywhere, before, mark, number, dot = match.groups(default="")
    return f"{before}{number}\\{anywhere or mark or dot}"


def _head(incident: IncidentView) -> Iterator[str]:
    yield f"# Incident {escaped(incident.incident_id)}: {escaped(incident.flag_name)}"
    yield ""
    yield "| | |"
    yield "|---|---|"
    for name, value in _facts(incident):
        yield f"| {name} | {value} |"
    yield ""


def _facts(incident: IncidentView) -> Iterator[tuple[str, str]]:
    yield "Flag", escaped(incident.flag_name)
    yield "Trigger", escaped(incident.trigger)
    yield "Playbook", escaped(incident.playbook or "none, rolled back by hand")
    yield "State before", escaped(incident.state_before)
    yield "Opened by", escaped(incident.opened_by)
    yield "Started", _moment(incident.started_at)
    yield "Restored", _moment(incident.completed_at) if incident.completed_at else "not yet"
    yield "Restoration", _restoration(incident)
    closed = (
        f"{_moment(incident.closed_at)} by {escaped(incident.closed_by or '')}" if incident.closed_at else "not yet"
    )
    yield "Closed", closed
    yield "Affected tenants", _affected(incident)
    yield "Impact", _impact(incident)
    yield "Post-mortem", "due" if incident.post_mortem_due else "not due"
    yield "Customer communication", "due" if incident.communication_due else "not due"


def _restoration(incident: IncidentView) -> str:
    estimate = "" if incident.estimate_minutes is None else f", estimated {incident.estimate_minutes:g} min"
    if incident.restoration_minutes is None:
        return f"under way{estimate}"
    return f"{took_text(incident.restoration_minutes * 60)}{estimate}"


def _affected(incident: IncidentView) -> str:
    if incident.affected is None:
        return "not counted yet"
    if not incident.tenants_known:
        return "unknown: the store knew no tenants then"
    return f"{incident.affected} of {incident.tenants_known}"


def _impact(incident: IncidentView) -> str:
    if incident.impact is None:
        return "not known yet"
    if incident.impact_overridden:
        return f"{incident.impact.value} (set by hand)"
    if not incident.affected or not incident.tenants_known:
        return f"{incident.impact.value} (computed)"
    return f"{incident.impact.value} (computed: {incident.affected / incident.tenants_known:.1%} of the tenants)"


def _prose(incident: IncidentView) -> Iterator[str]:
    yield "## Root cause"
    yield ""
    yield escaped(incident.root_cause) or "Not written yet."
    yield ""
    yield "## Resolution"
    yield ""
    yield from [f"1. {escaped(step)}" for step in incident.resolution_steps] or ["Not written yet."]
    yield ""
    yield "## Prevention"
    yield ""
    yield escaped(incident.prevention) or "Not written yet."
    yield ""


def _steps(detail: IncidentDetail) -> Iterator[str]:
    run = detail.incident.run
    if run is None:
        return
    yield f"## Playbook {escaped(run.playbook)}: {run.status.value}"
    yield ""
    if run.problem:
        yield escaped(run.problem)
        yield ""
    if run.steps:
        yield "| step | estimate | took | result |"
        yield "|---|---|---|---|"
        for step in run.steps:
            result = f"{step.status.value}{f': {step.output}' if step.output else ''}"
            took = _took(step.started_at, step.finished_at)
            yield f"| {escaped(step.title)} | {step.estimate_minutes:g} min | {took} | {escaped(result)} |"
        yield ""
    yield from _verifications(run)


def _verifications(run: RunView) -> Iterator[str]:
    for item in run.verifications:
        result = "waits for a person" if item.result is None else item.result.value.replace("_", " ")
        by = f" by {item.by}" if item.by else ""
        found = f": {item.found}" if item.found else ""
        yield f"- {escaped(item.text)}: {escaped(f'{result}{by}{found}')}"
    if run.verifications:
        yield ""


def _tail(detail: IncidentDetail) -> Iterator[str]:
    yield "## Timeline"
    yield ""
    yield "| when | who | what |"
    yield "|---|---|---|"
    for entry in detail.timeline:
        yield f"| {_moment(entry.at)} | {escaped(entry.actor)} | {escaped(entry.text)} |"
    yield ""
    yield "## Affected tenants"
    yield ""
    for tenant in detail.affected_tenants[:TENANTS_LISTED]:
        name = f" {escaped(tenant.name)}" if tenant.name else ""
        yield f"- {escaped(tenant.tenant_id)}{name}"
    more = len(detail.affected_tenants) - TENANTS_LISTED
    if more > 0:
        yield f"- and {more} more"
    if not detail.affected_tenants:
        yield "None by name."


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _took(started: datetime | None, finished: datetime | None) -> str:
    if started is None or finished is None:
        return ""
    return took_text((finished - started).total_seconds())
