"""How the view model takes in rollouts, verdicts and measurements. Pure functions, without Textual.

What can't be read changes nothing. Listings and events may overtake each other, so what is older never replaces what is
newer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from flagconsole.console.metric_windows import metric_window
from flagconsole.console.rollouts import RolloutRow, rollout_row, story_of
from flagconsole.console.rows import Json
from flagconsole.console.state import Applied, ConsoleState
from flagconsole.console.verdicts import VerdictRow, numbered_verdict

#: Looks kept for each flag, newest first.
VERDICTS_KEPT: Final = 200

_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError)


def with_rollouts(state: ConsoleState, rollouts: Iterable[Json]) -> ConsoleState:
    """The state after ``GET /api/rollouts``: of each flag the newest one."""
    rows: dict[str, RolloutRow] = {}
    for data in rollouts:
        row = rollout_row(data)
        if row.flag_name not in rows or _newer(rows[row.flag_name], row) is row:
            rows[row.flag_name] = row
    kept = {name: _newer(state.rollouts[name], row) if name in state.rollouts else row for name, row in rows.items()}
    return replace(state, rollouts={**state.rollouts, **kept})


def apply_rollout(state: ConsoleState, text: str) -> Applied:
    """The state after a ``rollout`` event."""
    try:
        row = rollout_row(json.loads(text))
    except _UNREADABLE:
        return Applied(state, frozenset())
    known = state.rollouts.get(row.flag_name)
    if known is not None and _newer(known, row) is known and known is not row:
        return Applied(state, frozenset())
    changed = known is None or _looks(known) != _looks(row)
    result = replace(state, rollouts={**state.rollouts, row.flag_name: row})
    return Applied(result, frozenset({row.flag_name}) if changed else frozenset())


def apply_verdict(state: ConsoleState, text: str) -> ConsoleState:
    """The state after a ``verdict`` event."""
    try:
        row = numbered_verdict(json.loads(text))
    except _UNREADABLE:
        return state
    return _with_verdicts(state, row.flag_name, [row])


def with_verdicts(state: ConsoleState, flag_name: str, verdicts: Iterable[Json]) -> ConsoleState:
    """The state after ``GET /api/flags/{name}/verdicts``."""
    return _with_verdicts(state, flag_name, [numbered_verdict(item) for item in verdicts])


def with_story(state: ConsoleState, detail: Json, flag_name: str) -> ConsoleState:
    """The state after ``GET /api/flags/{name}/rollout``."""
    known = with_rollouts(state, [detail["rollout"]]) if isinstance(detail.get("rollout"), Mapping) else state
    return replace(known, stories={**known.stories, flag_name: story_of(detail)})


def with_metrics(state: ConsoleState, metrics: Json, window: int) -> ConsoleState:
    """The state after ``GET /api/flags/{name}/metrics`` over ``window`` seconds."""
    row = metric_window(metrics, window)
    known = state.metrics.get(row.flag_name)
    if known is not None and known.window == window and known.fetched_at > row.fetched_at:
        return state
    return replace(state, metrics={**state.metrics, row.flag_name: row})


def _newer(known: RolloutRow, row: RolloutRow) -> RolloutRow:
    """The newer of two rows of one flag; of the same rollout the one that is further. A tie goes to ``row``."""
    return known if _age(known) > _age(row) else row


def _age(row: RolloutRow) -> tuple[float, str, bool, float, float, float]:
    judged_at = 0.0 if row.verdict is None else row.verdict.at
    return row.started_at, row.rollout_id, not row.active, row.phase_started_at, row.looked_at or 0.0, judged_at


def _looks(row: RolloutRow) -> tuple[object, ...]:
    judged = row.judged
    kind = None if judged is None else judged.kind
    return row.rollout_id, row.phase, row.status, row.progression_paused, row.exposure_frozen, kind


def _with_verdicts(state: ConsoleState, flag_name: str, verdicts: Sequence[VerdictRow]) -> ConsoleState:
    known = {row.number: row for row in state.verdicts.get(flag_name, ())}
    known.update((row.number, row) for row in verdicts)
    newest = sorted(known.values(), key=lambda row: (-row.at, -row.number))[:VERDICTS_KEPT]
    return replace(state, verdicts={**state.verdicts, flag_name: tuple(newest)})
