"""``status``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import age, print_fields, print_json
from flagconsole.cli.table import Cell
from flagconsole.domain.verdict import VerdictKind

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.domain.incident_views import IncidentView
    from flagconsole.domain.rollout import Rollout
    from flagconsole.domain.views import Status

#: So many rollouts, and so many incidents, fit on the screen beside the rest.
_MOST: Final = 5
_COLOURS: Final = {VerdictKind.FAIL: "red", VerdictKind.NO_DATA: "yellow", VerdictKind.PASS: "green"}
#: What needs somebody comes first.
_RANKS: Final = {VerdictKind.FAIL: 0, VerdictKind.NO_DATA: 1, VerdictKind.INCONCLUSIVE: 2, VerdictKind.PASS: 3}


class _Seen(NamedTuple):
    status: Status
    rollouts: tuple[Rollout, ...]
    incidents: tuple[IncidentView, ...]


@click.command("status")
@prints
def status(invocation: Invocation) -> None:
    """Show the system on one screen: flags by state, rollouts, open incidents, who is behind, how old the data is."""

    async def work(backend: Backend, target: Target) -> _Seen:
        rollouts = (await backend.rollouts(active=True)).rollouts
        incidents = (await backend.incidents(open_only=True)).incidents
        return _Seen(await backend.status(), rollouts, incidents)

    seen = invocation.run(work)
    if invocation.as_json:
        lists = {
            "rollouts": [rollout.model_dump(mode="json") for rollout in seen.rollouts],
            "incidents": [incident.model_dump(mode="json") for incident in seen.incidents],
        }
        print_json(seen.status, **lists)
    else:
        print_fields(_fields(seen))


def _fields(seen: _Seen) -> list[tuple[str, Cell | str]]:
    status = seen.status
    states = ", ".join(f"{count} {state.value}" for state, count in status.by_state.items() if count)
    fields: list[tuple[str, Cell | str]] = [
        ("environment", status.environment + (" (changes that raise need a version)" * status.requires_versions)),
        ("revision", f"{status.revision} of {status.epoch}"),
        ("flags", f"{status.flags}{f': {states}' if states else ''}"),
    ]
    if status.killed:
        fields.append(("killed", Cell(", ".join(status.killed), "red", bold=True)))
    rollouts = sorted(seen.rollouts, key=_urgent_first)
    fields += _named("rollouts", [_of_rollout(rollout, status.now) for rollout in rollouts], "canary-status")
    fields += _named("incidents", [_of_incident(one, status.now) for one in seen.incidents], "incidents list")
    last = "never" if status.last_change_at is None else f"{age(status.last_change_at, status.now)} ago"
    return [
        *fields,
        ("data", _data(seen)),
        ("overrides", str(status.overrides)),
        ("tenants", str(status.tenants)),
        ("instances", _instances(status)),
        ("last change", last),
        ("you", f"{status.you.name}, {status.you.role.value}"),
        ("server", f"flagconsole {status.server_version}"),
    ]


def _named(name: str, lines: list[Cell | str], more: str) -> list[tuple[str, Cell | str]]:
    """Several lines under one name; what is too much for a screen is counted, with the command that shows it."""
    shown = lines[:_MOST] or ["none"]
    if len(lines) > _MOST:
        shown.append(f"and {len(lines) - _MOST} more: flagconsole {more}")
    return [("" if index else name, line) for index, line in enumerate(shown)]


def _urgent_first(rollout: Rollout) -> tuple[int, str]:
    kind = rollout.verdict.kind if rollout.verdict is not None else VerdictKind.NO_DATA
    return (_RANKS[kind], rollout.flag_name)


def _of_rollout(rollout: Rollout, now: datetime) -> Cell:
    from flagconsole.cli.monitor_report import GLYPHS

    verdict = rollout.verdict
    said = "╌ not judged yet" if verdict is None else GLYPHS[verdict.kind]
    # A verdict without its time could be of an hour ago.
    looked = "" if rollout.looked_at is None else f", looked {age(rollout.looked_at, now)} ago"
    held = ", held" if rollout.progression_paused else ""
    colour = None if verdict is None else _COLOURS.get(verdict.kind)
    return Cell(f"{rollout.flag_name}  {rollout.phase}, {rollout.status.value}{held}: {said}{looked}", colour)


def _of_incident(incident: IncidentView, now: datetime) -> Cell:
    done = incident.completed_at
    restored = "not restored yet" if done is None else f"restored {age(done, now)} ago"
    began = f"began {age(incident.started_at, now)} ago"
    from flagconsole.domain.incident_standing import Standing, run_words

    run = incident.run
    playbook = "" if run is None else f", {run_words(run.status.value, run.playbook)}"
    needs_you = ", needs you" if incident.standing is Standing.NEEDS_YOU else ""
    colour = "red" if done is None or needs_you else None
    return Cell(
        f"{incident.incident_id}  {incident.flag_name}, {began}, {restored}{playbook}{needs_you}: {incident.trigger}",
        colour,
    )


def _data(seen: _Seen) -> str:
    """How old the oldest measurements are that a running rollout was judged by."""
    ages = []
    for rollout in seen.rollouts:
        verdict = rollout.verdict
        if verdict is None or verdict.data_age_seconds is None:
            return f"{rollout.flag_name} has no measurements"
        ages.append(seen.status.now - verdict.at + timedelta(seconds=verdict.data_age_seconds))
    if not ages:
        return "no rollout needs any now"
    return f"at most {age(seen.status.now - max(ages), seen.status.now)} old in every rollout"


def _instances(status: Status) -> Cell | str:
    behind = f", {status.instances_behind} behind" if status.instances_behind else ""
    behind += f", {status.instances_told} told and can't confirm" if status.instances_told else ""
    text = f"{status.instances_live} live of {status.instances_expected} expected{behind}"
    return Cell(text, "yellow") if status.instances_behind else text
