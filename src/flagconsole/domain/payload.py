"""Snapshots and events as they travel to evaluators, read without trusting them.

A payload may be damaged, truncated or hostile, and whoever reads it is a customer's process: a field that can't be
understood makes its flag ``off``, a payload that can't be understood at all raises ``PayloadError``, and nothing else is
ever raised.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from flagconsole.domain.evaluation import OverrideRule, Rule, Ruleset
from flagconsole.domain.ruleset_draft import RulesetDraft
from flagconsole.domain.states import OVERRIDE_STATES, FlagState

SCHEMA: Final = 1
MAX_REVISION: Final = 2**63 - 1
#: The fields of a flag that travel in a snapshot.
FLAG_FIELDS: Final = (
    "flag_name",
    "flag_type",
    "current_state",
    "canary_percentage",
    "canary_tenant_ids",
    "canary_holdout_ids",
    "dependencies",
    "version",
)

#: The fields of a flag that an event leaves out where its change left them alone.
COHORT_FIELDS: Final = frozenset({"canary_tenant_ids", "canary_holdout_ids"})

_STATES: Final[Mapping[str, FlagState]] = {state.value: state for state in FlagState}


class PayloadError(ValueError):
    """A payload that can't be used; the message says why."""


def parse_snapshot(text: str | bytes) -> Ruleset:
    """The ruleset of a snapshot. Raises ``PayloadError`` where it isn't one."""
    data = _object(text)
    if data.get("schema") != SCHEMA:
        raise PayloadError(f"snapshot schema {data.get('schema')!r} is not {SCHEMA}")
    epoch, revision = position(data)
    flags, overrides = data.get("flags"), data.get("overrides")
    if not isinstance(flags, list) or not isinstance(overrides, list):
        raise PayloadError("a snapshot needs the lists flags and overrides")
    rules = {rule.flag_name: rule for rule in map(rule_of, flags)}
    tenants: dict[str, dict[str, OverrideRule]] = {}
    for item in overrides:
        flag_name, tenant_id, override = override_of(item)
        tenants.setdefault(flag_name, {})[tenant_id] = override
    tenant = data.get("tenant_id")
    if not (tenant is None or isinstance(tenant, str)):
        raise PayloadError("a snapshot's tenant_id must be a string or null")
    return Ruleset(epoch, revision, rules, tenants, tenant=tenant)


def dump_snapshot(ruleset: Ruleset) -> str:
    """The ruleset as a snapshot that ``parse_snapshot`` reads back to the same answers.

    It holds what evaluation needs; ``flag_type`` is left out.
    """
    flags = [
        {
            "flag_name": rule.flag_name,
            "current_state": rule.state.value,
            "canary_percentage": rule.percentage,
            "canary_tenant_ids": sorted(rule.cohort),
            "canary_holdout_ids": None if rule.holdout is None else sorted(rule.holdout),
            "dependencies": rule.dependencies,
            "version": rule.version,
        }
        for rule in ruleset.rules.values()
    ]
    overrides = [
        {
            "flag_name": flag_name,
            "tenant_id": tenant_id,
            "override_state": override.state.value,
            "expires_at": _expiry_text(override.expires_at),
        }
        for flag_name, tenants in ruleset.overrides.items()
        for tenant_id, override in tenants.items()
    ]
    snapshot = {
        "schema": SCHEMA,
        "epoch": ruleset.epoch,
        "revision": ruleset.revision,
        "flags": flags,
        "overrides": overrides,
    }
    if ruleset.tenant is not None:
        snapshot["tenant_id"] = ruleset.tenant
    return json.dumps(snapshot, separators=(",", ":"))


def _expiry_text(expires_at: float) -> str | None:
    """A time in seconds since the epoch as text; what lies outside the calendar is never, or long ago."""
    if expires_at == inf:
        return None
    try:
        return datetime.fromtimestamp(expires_at, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None if expires_at > 0 else "0001-01-01T00:00:00+00:00"


def apply_event(ruleset: Ruleset, text: str | bytes) -> Ruleset | None:
    """The ruleset after an event, or ``None`` when the event doesn't follow it directly and a snapshot is needed.

    An event of the past gives ``ruleset`` itself. Raises ``PayloadError`` for anything that isn't an event.
    """
    draft = RulesetDraft(ruleset)
    return draft.done() if follow(draft, event_of(text)) else None


def event_of(text: str | bytes) -> dict[str, Any]:
    """An event as an object, for ``follow``. Raises ``PayloadError`` where it isn't one."""
    return _object(text)


def follow(draft: RulesetDraft, data: Mapping[str, Any]) -> bool:
    """Apply an event. False when it doesn't follow directly and a snapshot is needed; one of the past changes nothing.

    Raises ``PayloadError`` for anything that isn't an event; the draft is then as it was.
    """
    epoch, revision = position(data)
    if epoch != draft.epoch:
        return False
    if revision <= draft.revision:
        return True
    if revision != draft.revision + 1:
        return False
    change = data.get("change")
    if not isinstance(change, dict) or not isinstance(change.get("flag_name"), str):
        raise PayloadError("an event needs the object change with its flag_name")
    name, tenant = change["flag_name"], change.get("tenant_id")
    flag = data.get("flag")
    if isinstance(flag, dict) and COHORT_FIELDS.isdisjoint(flag):
        # The change left the cohort alone, so it isn't sent again.
        known = draft.rule(name)
        if known is None:
            return False
        told = rule_of({**flag, "canary_tenant_ids": []})
        rule: Rule | None = told._replace(cohort=known.cohort, holdout=known.holdout)
    else:
        rule = None if flag is None else rule_of(flag)
    if rule is not None and rule.flag_name != name:
        raise PayloadError("an event's flag must be the flag of its change")
    if tenant is None or rule is None:
        draft.set_rule(revision, name, rule)
        return True
    if not isinstance(tenant, str):
        raise PayloadError("a change's tenant_id must be a string or null")
    override = None if data.get("override") is None else override_of(data["override"])[2]
    draft.set_rule(revision, name, rule)
    draft.set_override(revision, name, tenant, override)
    return True


def position(data: Mapping[str, Any]) -> tuple[str, int]:
    """The ``(epoch, revision)`` of a payload."""
    epoch, revision = data.get("epoch"), data.get("revision")
    if not isinstance(epoch, str) or not epoch or len(epoch) > 64:
        raise PayloadError("epoch must be a string of 1 to 64 characters")
    if not isinstance(revision, int) or isinstance(revision, bool) or not 0 <= revision <= MAX_REVISION:
        raise PayloadError("revision must be a number from 0 to 2^63 - 1")
    return epoch, revision


def rule_of(data: Any) -> Rule:
    """The rule of one flag. An unknown state, or a canary that can't be read, is ``off``; never "on"."""
    if not isinstance(data, dict) or not isinstance(data.get("flag_name"), str):
        raise PayloadError("a flag needs its flag_name")
    state = _STATES.get(data["current_state"], FlagState.OFF) if _is_text(data.get("current_state")) else FlagState.OFF
    percentage, cohort = data.get("canary_percentage", 0), data.get("canary_tenant_ids")
    holdout = data.get("canary_holdout_ids")
    dependencies, version = data.get("dependencies", []), data.get("version", 0)
    known_holdout = holdout is None or _is_text_list(holdout)
    if not _is_whole(percentage) or not 0 <= percentage <= 100 or not _is_text_list(cohort) or not known_holdout:
        state = FlagState.OFF if state is FlagState.CANARY else state
        percentage, cohort, holdout = 0, [], None
    if not _is_text_list(dependencies):
        # What caps the flag is unknown, so the flag stays off unless it is killed.
        state, dependencies = (state if state is FlagState.KILL else FlagState.OFF), []
    return Rule(
        data["flag_name"],
        state,
        percentage,
        frozenset(cohort or ()),
        tuple(dependencies),
        version if _is_whole(version) else 0,
        None if holdout is None else frozenset(holdout),
    )


def override_of(data: Any) -> tuple[str, str, OverrideRule]:
    """Flag, tenant and rule of one override. An unknown state is ``off``; an unreadable expiry never expires an ``off``."""
    if not isinstance(data, dict) or not _is_text(data.get("flag_name")) or not _is_text(data.get("tenant_id")):
        raise PayloadError("an override needs its flag_name and tenant_id")
    raw, expires = data.get("override_state"), data.get("expires_at")
    state = _STATES.get(raw, FlagState.OFF) if isinstance(raw, str) else FlagState.OFF
    if state not in OVERRIDE_STATES:
        state = FlagState.OFF
    expires_at = inf
    if expires is not None:
        try:
            moment = datetime.fromisoformat(expires)
            if moment.tzinfo is None:
                raise ValueError("a time without its zone")
            expires_at = moment.timestamp()
        except (TypeError, ValueError, OverflowError):
            state = FlagState.OFF
    return data["flag_name"], data["tenant_id"], OverrideRule(state, expires_at)


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"not JSON: {type(error).__name__}") from None
    if not isinstance(data, dict):
        raise PayloadError("not a JSON object")
    return data


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text_list(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))
