"""How a plan of an environment is read from a file and shown."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from flagconsole.cli.output import has_colours, say
from flagconsole.cli.table import Cell, styled
from flagconsole.cli.text_file import read_text, source_of
from flagconsole.domain.environment import PlanAction, PlanRequest
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.domain.environment import EnvironmentPlan, FieldChange, PlannedChange, PlannedPlan

_SIGNS: Final = {
    PlanAction.ADD: Cell("+", "green", bold=True),
    PlanAction.CHANGE: Cell("~", "yellow", bold=True),
    PlanAction.REMOVE: Cell("-", "red", bold=True),
    PlanAction.KEEP: Cell("=", dim=True),
}


def read_request(file: str, *, prune: bool) -> PlanRequest:
    """The file as what is asked of a plan. Raises ``InvalidInput`` naming file, line and field."""
    from flagconsole.operations.environment_file import parse_environment

    return PlanRequest(environment=parse_environment(read_text(file), source_of(file)), prune=prune)


def apply_command(file: str, prune: bool, plan_hash: str) -> str:
    """The command that does what a plan shows."""
    options = " --prune" if prune else ""
    return f"flagconsole apply {safe_text(shlex.quote(file), 500)}{options} --plan-hash {plan_hash} --reason ..."


def show(plan: EnvironmentPlan) -> None:
    """Print a plan, a flag or override with its fields at a time."""
    from flagconsole.operations.environment_file import FLAG_FIELDS, OVERRIDE_FIELDS

    written = {field: name for names in (FLAG_FIELDS, OVERRIDE_FIELDS) for name, field in names.items()}
    for entry in plan.plans:
        _show_plan(entry)
    for item in plan.items:
        subject = item.flag_name if item.tenant_id is None else f"{item.flag_name} for {item.tenant_id}"
        raises = Cell("  raises exposure", "yellow") if item.raises else Cell("")
        sign = styled(_SIGNS[item.action], has_colours())
        say(f"{sign} {safe_text(subject, 300)}{_what(item)}{styled(raises, has_colours())}")
        names = [written.get(change.field, change.field) for change in item.fields]
        width = max(map(len, names), default=0)
        for name, change in zip(names, item.fields, strict=True):
            say(f"    {name.ljust(width)}  {_values(item, change)}")
        for note in item.notes:
            say(f"    {safe_text(note, 300)}")
    done = [item.action for item in plan.items] + [entry.action for entry in plan.plans]
    counts = {action: done.count(action) for action in PlanAction}
    if plan.changed:
        added, changed, removed = (counts[action] for action in (PlanAction.ADD, PlanAction.CHANGE, PlanAction.REMOVE))
        say(f"{added} to add, {changed} to change, {removed} to remove; nothing has been changed yet")
    else:
        say(f"nothing to change at revision {plan.revision}")
    say(f"plan hash: {plan.plan_hash}")


def _show_plan(item: PlannedPlan) -> None:
    what = {PlanAction.ADD: " is new", PlanAction.REMOVE: " is removed"}.get(item.action, "")
    say(f"{styled(_SIGNS[item.action], has_colours())} plan {safe_text(item.plan_name)}{what}")
    for change in item.fields:
        told = [", ".join(map(str, value)) if isinstance(value, list) else value for value in (change.old, change.new)]
        both = f"{_shown(told[0])} → {_shown(told[1])}" if item.action is PlanAction.CHANGE else _shown(told[1])
        say(f"    {safe_text(change.field, 300)}  {both}")


def _what(item: PlannedChange) -> str:
    if item.action is PlanAction.REMOVE:
        return " is removed" if item.tenant_id is not None else " is archived, and its name retired"
    if item.action is PlanAction.ADD:
        return " is new"
    return ""


def _values(item: PlannedChange, change: FieldChange) -> str:
    if isinstance(change.old, list) or isinstance(change.new, list):
        return _lists(change.old or [], change.new or [])
    if item.action is PlanAction.ADD:
        return _shown(change.new)
    if item.action is PlanAction.REMOVE:
        return _shown(change.old)
    return f"{_shown(change.old)} → {_shown(change.new)}"


def _lists(old: list[Any], new: list[Any]) -> str:
    """What comes in and what goes out; only the numbers of long lists."""
    gained = [item for item in new if item not in set(old)]
    lost = [item for item in old if item not in set(new)]
    if len(gained) + len(lost) > 8:
        return f"{len(old)} → {len(new)}: {len(gained)} in, {len(lost)} out"
    told = [f"+{_shown(item)}" for item in gained] + [f"-{_shown(item)}" for item in lost]
    return ", ".join(told) or "in another order"


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return safe_text(value, 200) or "(empty)"
