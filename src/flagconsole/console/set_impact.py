"""What a set of changes would do to the known tenants, computed from the rules at hand and from what the server would do."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from flagconsole.domain.evaluation import OverrideRule, Ruleset
from flagconsole.domain.ruleset_draft import RulesetDraft

if TYPE_CHECKING:
    from flagconsole.domain.bulk import BulkResult


class SetImpact(NamedTuple):
    """Of ``tenants`` known ones so many would lose, and so many gain, one of the ``flags`` that are set or depend on those."""

    tenants: int
    flags: int
    losing: int
    gaining: int


def set_impact(ruleset: Ruleset, result: BulkResult, tenants: Collection[str], now: float) -> SetImpact:
    """The impact of what the ``result`` of a dry run says, at ``now`` in seconds since the epoch."""
    draft, names = RulesetDraft(ruleset), set[str]()
    for outcome in result.outcomes:
        rule = draft.rule(outcome.flag_name)
        if not outcome.changed or rule is None:
            continue
        names |= {outcome.flag_name, *ruleset.dependents(outcome.flag_name)}
        if outcome.tenant_id is None:
            setting = outcome.setting
            holdout = setting.canary_holdout_ids
            rule = rule._replace(
                state=setting.current_state,
                percentage=setting.canary_percentage,
                cohort=frozenset(setting.canary_tenant_ids),
                holdout=None if holdout is None else frozenset(holdout),
            )
            draft.set_rule(ruleset.revision + 1, outcome.flag_name, rule)
        else:
            new = None if outcome.change is None else outcome.change.new
            draft.set_override(ruleset.revision + 1, outcome.flag_name, outcome.tenant_id, _override(new))
    after = draft.done()
    losing = gaining = 0
    for tenant in tenants:
        before = [ruleset.evaluate(name, tenant, now).enabled for name in names]
        then = [after.evaluate(name, tenant, now).enabled for name in names]
        losing += any(old and not new for old, new in zip(before, then, strict=True))
        gaining += any(new and not old for old, new in zip(before, then, strict=True))
    return SetImpact(len(tenants), len(names), losing, gaining)


def _override(new: dict[str, object] | None) -> OverrideRule | None:
    """A tenant's own state as a change tells it."""
    from flagconsole.domain.payload import override_of

    return None if new is None else override_of(new)[2]
