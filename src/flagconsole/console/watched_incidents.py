"""How the view model takes in incidents and the playbooks that they run. Pure functions, without Textual.

What can't be read changes nothing. Beside ``watched``, since most consoles begin without an incident.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flagconsole.console.incidents import IncidentRow, incident_row, incident_story
from flagconsole.console.playbooks import playbook_row
from flagconsole.console.rows import Json
from flagconsole.console.state import Applied, ConsoleState

#: Incidents kept; open ones always are.
INCIDENTS_KEPT: Final = 200

_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)


def with_incidents(state: ConsoleState, incidents: Iterable[Json]) -> ConsoleState:
    """The state after ``GET /api/incidents``."""
    rows = [incident_row(item) for item in incidents]
    return replace(state, incidents=_bounded({**state.incidents, **{row.incident_id: row for row in rows}}))


def apply_incident(state: ConsoleState, text: str) -> Applied:
    """The state after an ``incident`` event. A closed one is never opened again."""
    try:
        row = incident_row(json.loads(text))
    except _UNREADABLE:
        return Applied(state, frozenset())
    known = state.incidents.get(row.incident_id)
    if known is not None and not known.open and row.open:
        return Applied(state, frozenset())
    changed = known is None or known.open is not row.open
    result = replace(state, incidents=_bounded({**state.incidents, row.incident_id: row}))
    return Applied(result, frozenset({row.flag_name}) if changed else frozenset())


def with_incident_story(state: ConsoleState, detail: Json) -> ConsoleState:
    """The state after ``GET /api/incidents/{id}``."""
    story = incident_story(detail)
    stories = {**state.incident_stories, story.incident_id: story}
    return replace(with_incidents(state, [detail["incident"]]), incident_stories=stories)


def with_playbooks(state: ConsoleState, playbooks: Sequence[Json]) -> ConsoleState:
    """The state after ``GET /api/playbooks``."""
    return replace(state, playbooks={row.name: row for row in map(playbook_row, playbooks)})


def _bounded(incidents: dict[str, IncidentRow]) -> Mapping[str, IncidentRow]:
    if len(incidents) <= INCIDENTS_KEPT:
        return incidents
    closed = sorted((row for row in incidents.values() if not row.open), key=lambda row: row.started_at)
    surplus = {row.incident_id for row in closed[: len(incidents) - INCIDENTS_KEPT]}
    return {name: row for name, row in incidents.items() if name not in surplus}
