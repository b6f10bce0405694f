"""``incidents``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagconsole.cli.invocation import Invocation, changes, prints
from flagconsole.cli.lazy import SuggestingGroup
from flagconsole.cli.output import moment, print_fields, print_json, print_table, say, say_whole, talk, when
from flagconsole.cli.table import Cell
from flagconsole.domain.duration import took_text
from flagconsole.domain.errors import IncidentNotFound
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.incident_views import IncidentDetail, IncidentList, IncidentView, RunView

_IMPACTS = ("none", "minimal", "moderate", "severe")
_COLOURS = {"severe": "red", "moderate": "yellow", "stopped": "red", "failed": "red", "uncertain": "red"}
_COLOURS |= {"needs you": "red", "not restored": "red"}
_TENANTS_SHOWN = 20


@click.group("incidents", cls=SuggestingGroup)
def incidents() -> None:
    """Follow, write up, close and export incidents.

    Every kill and every rollback that lowers exposure opens one.
    """


@incidents.command("list")
@click.option("--flag", metavar="FLAG", help="Only those of this flag.")
@click.option("--open", "open_only", is_flag=True, help="Only those that nobody has closed.")
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="At most so many.")
@prints
def list_incidents(invocation: Invocation, flag: str | None, open_only: bool, limit: int) -> None:
    """List incidents, newest first."""

    async def work(backend: Backend, target: Target) -> IncidentList:
        return await backend.incidents(flag_name=flag, open_only=open_only, limit=limit)

    found = invocation.run(work)
    if invocation.as_json:
        print_json(found)
    elif found.incidents:
        header = ["ID", "STARTED", "FLAG", "PLAYBOOK", "RESTORED AFTER", "IMPACT", "TENANTS", "STATE", "TRIGGER"]
        print_table(header, [_row(item) for item in found.incidents])
    else:
        talk("no incidents")


def _row(item: IncidentView) -> list[Cell | str]:
    impact = "?" if item.impact is None else item.impact.value
    return [
        item.incident_id,
        when(item.started_at),
        item.flag_name,
        item.playbook or "by hand",
        _restoration(item),
        Cell(impact, _COLOURS.get(impact)),
        "not yet" if item.affected is None else str(item.affected) if item.tenants_known else "unknown",
        Cell(item.standing.value, _COLOURS.get(item.standing.value), dim=item.closed_at is not None),
        item.trigger,
    ]


def _restoration(item: IncidentView) -> str:
    """How long restoration took, and how long it was estimated to: ``16 s (estimate 9 min)``."""
    taken = "-" if item.restoration_minutes is None else took_text(item.restoration_minutes * 60)
    return taken if item.estimate_minutes is None else f"{taken} (estimate {item.estimate_minutes:g} min)"


async def _meant(backend: Backend, asked: str) -> str:
    """The id of the incident that is meant: the one of that id, or the newest of the flag of that name."""
    if asked.startswith("inc-") or "." not in asked:
        return asked
    found = (await backend.incidents(flag_name=asked, limit=1)).incidents
    if not found:
        raise IncidentNotFound("See them all with: flagconsole incidents list", incident_id=asked)
    return found[0].incident_id


@incidents.command("show")
@click.argument("incident_id", metavar="ID|FLAG")
@prints
def show(invocation: Invocation, incident_id: str) -> None:
    """Show an incident: its steps, whom it reached, and what happened when. Of a FLAG it is the newest."""

    async def work(backend: Backend, target: Target) -> IncidentDetail:
        return await backend.incident(await _meant(backend, incident_id))

    _print(invocation, invocation.run(work))


def _print_outcome(invocation: Invocation, detail: IncidentDetail, done: str) -> None:
    """What was done to an incident, what is still due, and where the whole of it is."""
    if invocation.as_json:
        print_json(detail)
        return
    item = detail.incident
    reached = f"{item.affected} of {item.tenants_known} tenants" if item.affected and item.tenants_known else ""
    about = ", ".join(part for part in (item.flag_name, f"impact {_impact(item)}", reached) if part)
    say(f"{item.incident_id} {'would be ' if invocation.dry_run else ''}{safe_text(done)}: {safe_text(about)}")
    if due := _due(item):
        talk(f"due: {', '.join(due)}")
    talk(f"the whole of it: flagconsole incidents show {safe_text(item.incident_id)}")


def _impact(item: IncidentView) -> str:
    impact = "not known yet" if item.impact is None else item.impact.value
    return impact + (" (set by hand)" if item.impact_overridden else "")


def _due(item: IncidentView) -> list[str]:
    due = (("post-mortem", item.post_mortem_due), ("customer communication", item.communication_due))
    return [name for name, wanted in due if wanted]


def _print(invocation: Invocation, detail: IncidentDetail) -> None:
    if invocation.as_json:
        print_json(detail)
        return
    item = detail.incident
    print_fields(_fields(detail))
    if item.run is not None:
        _print_run(item.run)
    say("")
    rows = [[when(entry.at), entry.kind.value, entry.actor, entry.text] for entry in detail.timeline]
    print_table(["WHEN", "WHAT", "WHO", "TEXT"], rows)


def _fields(detail: IncidentDetail) -> list[tuple[str, Cell | str]]:
    item = detail.incident
    colour = None if item.impact is None else _COLOURS.get(item.impact.value)
    fields: list[tuple[str, Cell | str]] = [
        ("incident", item.incident_id),
        ("flag", f"{item.flag_name}, before: {item.state_before}"),
        ("trigger", item.trigger),
        ("opened by", item.opened_by),
        ("playbook", item.playbook or "none: rolled back by hand"),
        ("started", moment(item.started_at)),
        ("restored", moment(item.completed_at)),
        ("restoration", _restoration(item)),
        ("closed", f"{moment(item.closed_at)} by {item.closed_by}" if item.closed_at else "no"),
        ("impact", Cell(_impact(item), colour)),
        ("due", ", ".join(_due(item)) or "nothing"),
        *_tenants(detail),
        ("root cause", item.root_cause or "-"),
        ("prevention", item.prevention or "-"),
    ]
    fields += [(f"resolution {number}", step) for number, step in enumerate(item.resolution_steps, 1)]
    return fields


def _tenants(detail: IncidentDetail) -> list[tuple[str, Cell | str]]:
    """How many it reached, and below that the first of them by name."""
    item = detail.incident
    if item.affected is None:
        return [("tenants", "not counted yet")]
    if not item.tenants_known:
        return [("tenants", "unknown: the store knew no tenants then")]
    named = [tenant.name or tenant.tenant_id for tenant in detail.affected_tenants[:_TENANTS_SHOWN]]
    more = len(detail.affected_tenants) - len(named)
    names = ", ".join(safe_text(name, 60) for name in named) + (f" and {more} more" if more > 0 else "")
    return [("tenants", f"{item.affected} of {item.tenants_known}"), *([("", names)] if names else [])]


def _print_run(run: RunView) -> None:
    say("")
    problem = f": {safe_text(run.problem)}" if run.problem else ""
    say(f"playbook {run.playbook} {run.status.value}{problem}")
    if run.steps:
        rows: list[list[Cell | str]] = []
        for step in run.steps:
            status = Cell(step.status.value, _COLOURS.get(step.status.value))
            rows.append([step.step, status, f"{step.estimate_minutes:g} min", step.title, step.output])
        print_table(["STEP", "STATUS", "ESTIMATE", "TITLE", "OUTPUT"], rows)
    for number, item in enumerate(run.verifications, 1):
        result = "waits for a person" if item.result is None else item.result.value.replace("_", " ")
        found = f" ({safe_text(item.found)})" if item.found else ""
        say(f"verification_{number}  {safe_text(item.text)}: {result}{found}")


@incidents.command("update")
@click.argument("incident_id", metavar="ID")
@click.option("--root-cause", metavar="TEXT", help="What was the cause.")
@click.option("--resolution", multiple=True, metavar="TEXT", help="What was done; may be repeated.")
@click.option("--prevention", metavar="TEXT", help="What keeps it from happening again.")
@click.option("--impact", type=click.Choice([*_IMPACTS, "computed"]), help="Another impact than the computed one.")
@changes
def update(
    invocation: Invocation,
    incident_id: str,
    root_cause: str | None,
    resolution: tuple[str, ...],
    prevention: str | None,
    impact: str | None,
) -> None:
    """Write down what was found. What isn't given stays."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.incident_views import IncidentUpdate

    request = ask(IncidentUpdate, **_given(root_cause, resolution, prevention, impact))

    async def work(backend: Backend, target: Target) -> IncidentDetail:
        return await backend.update_incident(incident_id, request, dry_run=invocation.dry_run)

    _print_outcome(invocation, invocation.run(work), "written up")


@incidents.command("close")
@click.argument("incident_id", metavar="ID")
@click.option("--root-cause", metavar="TEXT", help="What was the cause.")
@click.option("--resolution", multiple=True, metavar="TEXT", help="What was done; may be repeated.")
@click.option("--prevention", metavar="TEXT", help="What keeps it from happening again.")
@click.option("--impact", type=click.Choice([*_IMPACTS, "computed"]), help="Another impact than the computed one.")
@changes
def close(
    invocation: Invocation,
    incident_id: str,
    root_cause: str | None,
    resolution: tuple[str, ...],
    prevention: str | None,
    impact: str | None,
) -> None:
    """Close an incident; what is left of its playbook is not done any more."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.incident_views import IncidentClose

    request = ask(IncidentClose, **_given(root_cause, resolution, prevention, impact))

    async def work(backend: Backend, target: Target) -> tuple[IncidentView, IncidentDetail]:
        before = (await backend.incident(incident_id)).incident
        return before, await backend.close_incident(incident_id, request, dry_run=invocation.dry_run)

    before, detail = invocation.run(work)
    if before.closed_at is None:
        _print_outcome(invocation, detail, "closed")
    else:
        talk(
            f"{before.incident_id} was closed already, {moment(before.closed_at)} by {safe_text(before.closed_by, 200)}"
        )
        _print_outcome(invocation, detail, "written up")
    if not detail.incident.root_cause:
        talk(f"no root cause is written down: flagconsole incidents update {safe_text(incident_id)} --root-cause …")


def _given(
    root_cause: str | None, resolution: tuple[str, ...], prevention: str | None, impact: str | None
) -> dict[str, object]:
    fields: dict[str, object] = {}
    if root_cause is not None:
        fields["root_cause"] = root_cause
    if resolution:
        fields["resolution_steps"] = resolution
    if prevention is not None:
        fields["prevention"] = prevention
    if impact is not None:
        fields["impact"] = None if impact == "computed" else impact
    return fields


@incidents.command("confirm")
@click.argument("incident_id", metavar="ID")
@click.argument("step")
@click.argument("note")
@click.option("--not-done", is_flag=True, help="It was not done, or is not so.")
@changes
def confirm(invocation: Invocation, incident_id: str, step: str, note: str, not_done: bool) -> None:
    """Say what you found of a STEP that waits for a person, or of a point of the verification list (verification_1)."""
    from flagconsole.cli.asking import ask
    from flagconsole.domain.incident_views import StepConfirm

    request = ask(StepConfirm, done=not not_done, note=note)

    async def work(backend: Backend, target: Target) -> IncidentDetail:
        return await backend.confirm_step(incident_id, step, request, dry_run=invocation.dry_run)

    detail = invocation.run(work)
    _print_outcome(invocation, detail, f"{step} {'confirmed' if request.done else 'answered: not done'}")
    if not invocation.as_json and detail.incident.run is not None:
        _print_run(detail.incident.run)


@incidents.command("export")
@click.argument("incident_id", metavar="ID|FLAG")
@prints
def export(invocation: Invocation, incident_id: str) -> None:
    """Print an incident as Markdown; with --json as the object that the report is made of. Of a FLAG it is the newest."""

    async def work(backend: Backend, target: Target) -> tuple[IncidentDetail | None, str]:
        meant = await _meant(backend, incident_id)
        if invocation.as_json:
            return await backend.incident(meant), ""
        return None, await backend.export_incident(meant)

    detail, report = invocation.run(work)
    if detail is not None:
        print_json(detail)
        return
    # A server's text, though made by escaping: what it says line by line still passes the gate.
    for line in report.splitlines():
        say_whole(safe_text(line, 20_000))
