"""How the view model takes in changes that the stream tells of: many at once, so that what they share is copied once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from flagconsole.console.rows import ChangeRow, Json, change_row, flag_row, override_row
from flagconsole.console.state import HISTORY_LIMIT, ConsoleState
from flagconsole.domain import payload
from flagconsole.domain.ruleset_draft import RulesetDraft


class AppliedEvents(NamedTuple):
    """A new state, the names of the flags that look different in it, and what the events said that weren't of the past. ``complete`` is False where one didn't follow
    the others directly, or couldn't be read: it and those behind it were left out, and the listing must be fetched again."""

    state: ConsoleState
    changed: frozenset[str]
    events: Sequence[Json]
    complete: bool


def apply_events(state: ConsoleState, texts: Iterable[str]) -> AppliedEvents:
    """The state after ``change`` events, in their order. Those of the past change nothing."""
    draft = RulesetDraft(state.ruleset)
    flags, overrides = dict(state.flags), dict(state.overrides)
    changes: list[ChangeRow] = []
    events: list[Json] = []
    complete = True
    for text in texts:
        try:
            data = payload.event_of(text)
            before = draft.revision
            change = change_row(data["change"])
            name, tenant = change.flag_name, change.tenant_id
            row = None if data.get("flag") is None else flag_row(data["flag"], change)
            told = data.get("override")
            override = override_row(told) if isinstance(told, Mapping) and row is not None else None
            complete = payload.follow(draft, data)
        except (payload.PayloadError, KeyError, TypeError, AttributeError):
            complete = False
        if not complete:
            break
        if draft.revision == before:
            continue
        changes.append(change)
        events.append(data)
        rule = draft.rule(name)
        if row is None or rule is None:
            flags.pop(name, None)
            overrides.pop(name, None)
            continue
        flags[name] = row._replace(cohort=len(rule.cohort), drawn=rule.holdout is not None)
        if tenant is not None:
            own = dict(overrides.get(name, {}))
            own.pop(tenant, None)
            if override is not None:
                own[tenant] = override
            overrides[name] = own
    if not changes:
        return AppliedEvents(state, frozenset(), (), complete)
    ruleset = draft.done()
    names = {change.flag_name for change in changes}
    changed = names.union(*(ruleset.needed_by.get(name, ()) for name in names))
    history = (*reversed(changes[-HISTORY_LIMIT:]), *state.history)[:HISTORY_LIMIT]
    result = replace(state, flags=flags, ruleset=ruleset, overrides=overrides, history=history)
    return AppliedEvents(result, frozenset(changed), events, complete)
