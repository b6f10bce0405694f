"""Changes in words: what was, what is, and what else moved."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from flagconsole.cli.output import moment, print_json, say, talk
from flagconsole.domain.change import TOLD_OF_COHORT, told_setting
from flagconsole.domain.flag import Setting
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.invocation import Invocation
    from flagconsole.domain.change import Change
    from flagconsole.domain.views import ChangeResult, FlagDetail


def warn_unknown(detail: FlagDetail) -> None:
    """Say on standard error that the store doesn't know the tenant, though an answer for it is given as for any."""
    if detail.tenant_known is False:
        talk(
            f"note: the store knows no tenant {safe_text(detail.tenant_id, 140)!r}; see them with: flagconsole tenants list"
        )


def transition(change: Change) -> str:
    """From what to what: ``canary 10 % → on``, ``no override → shadow``, or the fields that a change set."""
    if change.tenant_id is not None:
        return f"{_override(change.previous)} → {_override(change.new)}"
    if change.action == "created":
        return f"created {_setting(change.new)}"
    if change.action == "archived":
        return f"{_setting(change.previous)} → archived"
    was, is_now = _setting(change.previous), _setting(change.new)
    fields = ", ".join(sorted(set(change.new or {}) - {*Setting.model_fields, *TOLD_OF_COHORT}))
    if was == is_now and fields:
        return f"{is_now}; {fields}"
    return f"{was} → {is_now}{f'; {fields}' if fields else ''}"


def short_transition(change: Change) -> str:
    """The same where there is little room: what is said twice is said once."""
    if change.tenant_id is not None:
        return _override(change.new).partition(" until ")[0]
    was, arrow, is_now = transition(change).partition(" → ")
    if was.startswith("canary ") and is_now.startswith("canary "):
        is_now = is_now.removeprefix("canary ")
    return f"{was}{arrow}{is_now}".replace(" %", "%")


def before(change: Change) -> str:
    """What the flag was before the change: ``canary 10 %``."""
    return _setting(change.previous)


def _setting(value: dict[str, Any] | None) -> str:
    return told_setting(value) or "none"


def _override(value: dict[str, Any] | None) -> str:
    if value is None:
        return "no override"
    until = value.get("expires_at")
    return f"override {safe_text(value.get('override_state'), 20)}{f' until {_told_time(until)}' if until else ''}"


def _told_time(value: object) -> str:
    """A time of the log, which keeps it as text, to the second."""
    try:
        return moment(datetime.fromisoformat(str(value)))
    except ValueError:
        return safe_text(value, 40)


def print_result(invocation: Invocation, result: ChangeResult) -> None:
    """Print what a change did, or would do."""
    if invocation.as_json:
        print_json(result)
        return
    say(outcome(result))


def outcome(result: ChangeResult) -> str:
    """One line: flag, transition, position."""
    name = result.flag.flag_name
    if not result.changed or result.change is None:
        since = "" if result.change is None else f" since revision {result.change.change_id}"
        return f"{name}: nothing to change, it is {result.flag.setting.standing}{since}"
    tenant = "" if result.change.tenant_id is None else f" for tenant {safe_text(result.change.tenant_id, 140)}"
    what = f"{name}{tenant}: {transition(result.change)}"
    if result.dry_run:
        return f"would change {what} (dry run, nothing was changed)"
    again = ", done before by this request, not again" if result.replayed else ""
    return f"{what} (revision {result.change.change_id}, version {result.flag.version}{again})"
