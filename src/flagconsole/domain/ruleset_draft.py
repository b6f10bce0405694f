"""A ruleset to which many changes are made: what they have in common is copied once, not for each."""

from __future__ import annotations

from collections.abc import Mapping

from flagconsole.domain.evaluation import OverrideRule, Rule, Ruleset


class RulesetDraft:
    """What becomes of a ruleset, change by change. ``done`` gives it; the ruleset that it began with stays as it is."""

    def __init__(self, base: Ruleset) -> None:
        self._base = base
        self._rules: dict[str, Rule] | None = None
        self._overrides: dict[str, Mapping[str, OverrideRule]] | None = None
        self._same_graph = True
        self.revision = base.revision

    @property
    def epoch(self) -> str:
        """The store's lineage."""
        return self._base.epoch

    def rule(self, flag_name: str) -> Rule | None:
        """The rule of a flag as it is by now."""
        return (self._base.rules if self._rules is None else self._rules).get(flag_name)

    def set_rule(self, revision: int, flag_name: str, rule: Rule | None) -> None:
        """Replace one flag at ``revision``; it is gone, and its overrides are, when ``rule`` is None."""
        if self._rules is None:
            self._rules = dict(self._base.rules)
        before = self._rules.pop(flag_name, None)
        if rule is not None:
            self._rules[flag_name] = rule
        elif flag_name in self._known_overrides():
            del self._own_overrides()[flag_name]
        self._same_graph &= before is not None and rule is not None and before.dependencies == rule.dependencies
        self.revision = revision

    def set_override(self, revision: int, flag_name: str, tenant_id: str, override: OverrideRule | None) -> None:
        """Replace one tenant's override at ``revision``; it is gone when ``override`` is None."""
        tenants = dict(self._known_overrides().get(flag_name, {}))
        tenants.pop(tenant_id, None)
        if override is not None:
            tenants[tenant_id] = override
        self._own_overrides()[flag_name] = tenants
        self.revision = revision

    def done(self) -> Ruleset:
        """The ruleset after all changes; the one that it began with where there were none."""
        if self.revision == self._base.revision:
            return self._base
        rules = self._base.rules if self._rules is None else self._rules
        return self._base.followed_by(self.revision, rules, self._known_overrides(), same_graph=self._same_graph)

    def _known_overrides(self) -> Mapping[str, Mapping[str, OverrideRule]]:
        return self._base.overrides if self._overrides is None else self._overrides

    def _own_overrides(self) -> dict[str, Mapping[str, OverrideRule]]:
        if self._overrides is None:
            self._overrides = dict(self._base.overrides)
        return self._overrides
