"""What a request that waits for a second person would do, worked out here from the rules at hand: what becomes what, for whom."""

from __future__ import annotations

from typing import NamedTuple

from flagconsole.console.json_values import list_of, objects_of, whole_or_none
from flagconsole.console.oversight_rows import ApprovalRow
from flagconsole.console.rows import FlagRow, setting_text, state_of
from flagconsole.console.state import ConsoleState
from flagconsole.domain.evaluation import Rule
from flagconsole.domain.states import FlagState

#: What is asked for by an operation whose change isn't one of state.
_WORDS = {
    "create": "a new flag",
    "archive": "archived",
    "rollback": "undo, exposure raised",
    "draw_cohort": "a new cohort",
}


class AskedChange(NamedTuple):
    """``before`` and ``after`` in words. ``rule`` is the flag's rule after it, None where that can't be told from here;
    ``tenant_id`` is whom it is for, None for everyone."""

    before: str
    after: str
    rule: Rule | None = None
    tenant_id: str | None = None


def asked_change(state: ConsoleState, row: ApprovalRow) -> AskedChange:
    """What ``row`` asks for, as the flag is now."""
    flag, rule = state.flags.get(row.flag_name), state.ruleset.rules.get(row.flag_name)
    before, asked = "not there" if flag is None else flag.setting, row.asked
    match row.operation:
        case "update" | "schedule" if "current_state" in asked or "canary_percentage" in asked:
            return _of_state(flag, rule, asked.get("current_state"), asked)
        case "revive":
            return _of_state(flag, rule, asked.get("state") or FlagState.OFF.value, asked)
        case "override":
            tenant = str(asked.get("tenant_id") or "its tenant")
            own = state.overrides.get(row.flag_name, {}).get(tenant)
            now = "no override" if own is None else own.state.value
            wanted = str(asked.get("override_state") or "no override")
            return AskedChange(now, wanted, None, tenant)
        case "promote":
            rollout = state.rollouts.get(row.flag_name)
            following = None if rollout is None else rollout.following
            return _of_phase(
                before, rule, following.kind if following else "", following.percentage if following else 0
            )
        case "start":
            return AskedChange(before, f"a rollout by {asked.get('plan_name') or 'its plan'}")
        case "draw_cohort":
            share = whole_or_none(asked.get("percentage"))
            return AskedChange(before, _WORDS["draw_cohort"] if share is None else f"a new cohort of {share} %")
        case _ if row.flag_name not in state.flags and "items" in asked:
            return AskedChange("", f"{len(objects_of(asked['items']))} changes at once")
        case _:
            return AskedChange(before, _WORDS.get(row.operation, row.operation.replace("_", " ")))


def _of_state(flag: FlagRow | None, rule: Rule | None, wanted: object, asked: object) -> AskedChange:
    fields = asked if isinstance(asked, dict) else {}
    before = "not there" if flag is None else flag.setting
    state = state_of(wanted) if wanted is not None else flag.state if flag is not None else FlagState.OFF
    share = whole_or_none(fields.get("canary_percentage"))
    chosen = frozenset(str(item) for item in list_of(fields.get("canary_tenant_ids")))
    percentage = share if share is not None else flag.percentage if flag is not None else 0
    kept = flag.cohort if flag is not None and share is None and "canary_tenant_ids" not in fields else 0
    after = setting_text(state, percentage, len(chosen) or kept)
    if rule is None:
        return AskedChange(before, after)
    new = rule._replace(state=state, percentage=percentage)
    if share is not None or "canary_tenant_ids" in fields:
        new = new._replace(cohort=chosen, holdout=None)
    return AskedChange(before, after, new)


def _of_phase(before: str, rule: Rule | None, kind: str, percentage: int) -> AskedChange:
    """The next phase of a rollout. Its cohort is drawn when it begins: whom it reaches is counted by the hash till then."""
    match kind:
        case "full":
            return AskedChange(
                before, "on", None if rule is None else rule._replace(state=FlagState.ON, percentage=100)
            )
        case "canary":
            new = None if rule is None else rule._replace(state=FlagState.CANARY, percentage=percentage)
            return AskedChange(before, f"canary {percentage} %", new)
        case _:
            return AskedChange(before, "the next phase of its rollout")
