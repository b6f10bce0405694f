"""The one evaluator: which state a flag has for a tenant, and why.

The SDK, the server, the console and the command line all use ``Ruleset.evaluate``. A ruleset is immutable: a change makes
a new one (``apply``), and readers keep the one they hold. No pydantic here, since services import this module.

The order (first match wins) is: the flag is unknown → ``off``; killed → ``kill``; an unexpired override of the tenant,
else the current state, where ``canary`` asks the cohort; at last every dependency that is itself a flag caps the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

from flagconsole.domain.bucketing import bucket
from flagconsole.domain.states import ENABLING, FlagState

MEMO_LIMIT: Final = 100_000


class Reason(StrEnum):
    """Why an evaluation came out as it did."""

    KILLED = "killed"
    OVERRIDE = "override"
    COHORT = "cohort"
    OUTSIDE_COHORT = "outside_cohort"
    STATE = "state"
    DEPENDENCY = "dependency"
    FLAG_NOT_FOUND = "flag_not_found"
    STALE = "stale"


class Evaluation(NamedTuple):
    """The effective state of one flag for one tenant.

    ``dependency`` names the flag whose own state caps this one (a direct or transitive dependency) when the reason is
    ``dependency``. ``revision`` is the store's revision that the answer was computed from; -1 when there was none.
    """

    flag_name: str
    state: FlagState
    reason: Reason
    revision: int
    dependency: str | None = None

    @property
    def enabled(self) -> bool:
        """Whether the feature runs for real: ``canary`` or ``on``."""
        return self.state in ENABLING

    @property
    def shadow(self) -> bool:
        """Whether the feature runs read-only."""
        return self.state is FlagState.SHADOW


class Rule(NamedTuple):
    """What evaluation needs of one flag.

    An empty ``cohort`` is drawn by hash. A ``holdout`` says that the cohort was drawn from the tenants known at that time:
    whoever is in neither joined later, and the hash decides. None says that the cohort is these tenants and no others.
    """

    flag_name: str
    state: FlagState
    percentage: int
    cohort: frozenset[str]
    dependencies: tuple[str, ...]
    version: int
    holdout: frozenset[str] | None = None


class OverrideRule(NamedTuple):
    """What evaluation needs of one tenant's override. ``expires_at`` in seconds since the epoch, ``inf`` for never."""

    state: FlagState
    expires_at: float = inf


class Ruleset:
    """All rules at one ``(epoch, revision)``: immutable, safe to read from any thread without a lock.

    With a ``tenant`` they are what a key that is bound to it may see: right for that tenant, and every other one is answered
    as for a flag that isn't there (a kill is a kill for everyone).
    """

    __slots__ = ("_closures", "_needed_by", "epoch", "memo", "next_expiry", "overrides", "revision", "rules", "tenant")

    def __init__(
        self,
        epoch: str,
        revision: int,
        rules: Mapping[str, Rule],
        overrides: Mapping[str, Mapping[str, OverrideRule]],
        closures: dict[str, tuple[str, ...]] | None = None,
        tenant: str | None = None,
    ) -> None:
        self.epoch = epoch
        self.tenant = tenant
        self.revision = revision
        self.rules = rules
        self.overrides = overrides
        self._closures = _closures(rules) if closures is None else closures
        self._needed_by: dict[str, list[str]] | None = None
        #: Answers given so far, by flag and tenant. They hold up to ``next_expiry``, the first expiry of an override; where
        #: that is ``inf`` they always hold, and the SDK looks here first.
        self.memo: dict[tuple[str, str], Evaluation] = {}
        self.next_expiry = min((o.expires_at for tenants in overrides.values() for o in tenants.values()), default=inf)

    def evaluate(self, flag_name: str, tenant_id: str, now: float) -> Evaluation:
        """The effective state of ``flag_name`` for ``tenant_id`` at ``now`` (seconds since the epoch, UTC)."""
        if now >= self.next_expiry:
            return self._compute(flag_name, tenant_id, now)
        key = (flag_name, tenant_id)
        known = self.memo.get(key)
        if known is None:
            known = self._compute(flag_name, tenant_id, now)
            if len(self.memo) >= MEMO_LIMIT:
                self.memo.clear()
            self.memo[key] = known
        return known

    def evaluate_for_all(self, flag_name: str, now: float) -> Evaluation | None:
        """The effective state that every tenant gets at ``now``; None where it depends on the tenant. Rules of one tenant know
        whom they are about."""
        if self.tenant is not None:
            return self.evaluate(flag_name, self.tenant, now)
        rule = self.rules.get(flag_name)
        if rule is not None and rule.state is not FlagState.KILL:
            if not self._same_for_all(flag_name, now):
                return None
            needed = () if rule.state is FlagState.OFF else self._closures.get(flag_name, ())
            if not all(self._same_for_all(name, now) for name in needed):
                return None
        # No tenant has an empty id, so no override and no cohort can be meant.
        return self._compute(flag_name, "", now)

    def _same_for_all(self, flag_name: str, now: float) -> bool:
        """Whether the flag's own state is that of every tenant."""
        state = self.rules[flag_name].state
        if state is FlagState.KILL:
            return True
        overridden = any(now < override.expires_at for override in self.overrides.get(flag_name, {}).values())
        return state is not FlagState.CANARY and not overridden

    def dependents(self, flag_name: str) -> list[str]:
        """The flags that depend on this one, directly or through others, in alphabetical order."""
        return list(self.needed_by.get(flag_name, ()))

    @property
    def needed_by(self) -> Mapping[str, Sequence[str]]:
        """For each flag that others depend on, directly or through others, those others in alphabetical order."""
        if self._needed_by is None:
            found: dict[str, list[str]] = {}
            for name in sorted(name for name, closure in self._closures.items() if closure):
                for needed in self._closures[name]:
                    if needed != name:
                        found.setdefault(needed, []).append(name)
            self._needed_by = found
        return self._needed_by

    def closure(self, flag_name: str) -> tuple[str, ...]:
        """The flags of this store that ``flag_name`` depends on, nearest first."""
        return self._closures.get(flag_name, ())

    def same_graph(self, other: Ruleset) -> bool:
        """Whether nobody's dependencies differ between these two, as far as that is known without comparing them."""
        return self._closures is other._closures

    def _compute(self, flag_name: str, tenant_id: str, now: float) -> Evaluation:
        rule = self.rules.get(flag_name)
        if rule is None:
            return Evaluation(flag_name, FlagState.OFF, Reason.FLAG_NOT_FOUND, self.revision)
        if self.tenant is not None and tenant_id != self.tenant and rule.state is not FlagState.KILL:
            return Evaluation(flag_name, FlagState.OFF, Reason.FLAG_NOT_FOUND, self.revision)
        state, reason = self._own(rule, tenant_id, now)
        if state is FlagState.KILL or state is FlagState.OFF:
            return Evaluation(flag_name, state, reason, self.revision)
        cap, capped_by = state, None
        for name in self._closures.get(flag_name, ()):
            other, _ = self._own(self.rules[name], tenant_id, now)
            if other is FlagState.OFF or other is FlagState.KILL:
                return Evaluation(flag_name, FlagState.OFF, Reason.DEPENDENCY, self.revision, name)
            if other is FlagState.SHADOW and cap is not FlagState.SHADOW:
                cap, capped_by = FlagState.SHADOW, name
        if capped_by is not None:
            return Evaluation(flag_name, cap, Reason.DEPENDENCY, self.revision, capped_by)
        return Evaluation(flag_name, state, reason, self.revision)

    def _own(self, rule: Rule, tenant_id: str, now: float) -> tuple[FlagState, Reason]:
        """The state before dependencies."""
        if rule.state is FlagState.KILL:
            return FlagState.KILL, Reason.KILLED
        tenants = self.overrides.get(rule.flag_name)
        if tenants is not None:
            override = tenants.get(tenant_id)
            if override is not None and now < override.expires_at:
                return override.state, Reason.OVERRIDE
        if rule.state is not FlagState.CANARY:
            return rule.state, Reason.STATE
        if in_cohort(rule, tenant_id):
            return FlagState.CANARY, Reason.COHORT
        return FlagState.OFF, Reason.OUTSIDE_COHORT

    def with_rule(self, revision: int, flag_name: str, rule: Rule | None) -> Ruleset:
        """A ruleset at ``revision`` in which one flag is replaced, or gone when ``rule`` is None."""
        rules = dict(self.rules)
        overrides = self.overrides
        before = rules.pop(flag_name, None)
        if rule is not None:
            rules[flag_name] = rule
        elif flag_name in overrides:
            overrides = {name: tenants for name, tenants in overrides.items() if name != flag_name}
        same_graph = before is not None and rule is not None and before.dependencies == rule.dependencies
        return self.followed_by(revision, rules, overrides, same_graph=same_graph)

    def killing(self, names: frozenset[str]) -> Ruleset:
        """The same rules with these flags killed, those that it doesn't know included; itself for none."""
        if not names:
            return self
        unknown = Rule("", FlagState.KILL, 0, frozenset(), (), 0)
        killed = {name: self.rules.get(name, unknown)._replace(flag_name=name, state=FlagState.KILL) for name in names}
        return Ruleset(self.epoch, self.revision, {**self.rules, **killed}, self.overrides, tenant=self.tenant)

    def with_override(self, revision: int, flag_name: str, tenant_id: str, override: OverrideRule | None) -> Ruleset:
        """A ruleset at ``revision`` in which one tenant's override is replaced, or gone when ``override`` is None."""
        tenants = dict(self.overrides.get(flag_name, {}))
        tenants.pop(tenant_id, None)
        if override is not None:
            tenants[tenant_id] = override
        overrides = {**self.overrides, flag_name: tenants}
        return self.followed_by(revision, self.rules, overrides, same_graph=True)

    def followed_by(
        self,
        revision: int,
        rules: Mapping[str, Rule],
        overrides: Mapping[str, Mapping[str, OverrideRule]],
        *,
        same_graph: bool,
    ) -> Ruleset:
        """The ruleset that follows this one at ``revision``. ``same_graph``: nobody's dependencies differ."""
        following = Ruleset(self.epoch, revision, rules, overrides, self._closures if same_graph else None, self.tenant)
        following._needed_by = self._needed_by if same_graph else None
        return following

    def of_tenant(self, tenant_id: str) -> Ruleset:
        """What a key that is bound to this tenant may see: all flags, of cohorts whether the tenant is inside, and its own
        overrides. The tenant gets the same answers."""
        rules = {name: rule_of_tenant(rule, tenant_id) for name, rule in self.rules.items()}
        overrides = {
            name: {tenant_id: tenants[tenant_id]} for name, tenants in self.overrides.items() if tenant_id in tenants
        }
        seen = Ruleset(self.epoch, self.revision, rules, overrides, self._closures, tenant_id)
        seen._needed_by = self._needed_by
        return seen


def in_cohort(rule: Rule, tenant_id: str) -> bool:
    """Whether a canary with this rule enables the feature for the tenant."""
    if tenant_id in rule.cohort:
        return True
    if (rule.cohort and rule.holdout is None) or (rule.holdout is not None and tenant_id in rule.holdout):
        return False
    return bucket(rule.flag_name, tenant_id) <= rule.percentage


def rule_of_tenant(rule: Rule, tenant_id: str) -> Rule:
    """The rule without the other tenants that its cohort names: it is of this tenant, or of nobody."""
    if not rule.cohort and rule.holdout is None:
        return rule
    if in_cohort(rule, tenant_id):
        return rule._replace(cohort=frozenset({tenant_id}), holdout=None)
    return rule._replace(cohort=frozenset(), holdout=frozenset({tenant_id}), percentage=0)


def _closures(rules: Mapping[str, Rule]) -> dict[str, tuple[str, ...]]:
    """For each flag the flags of ``rules`` that it depends on, nearest first.

    Caps compose as a minimum, so capping by every flag of the closure's *own* state equals capping by each direct
    dependency's effective state, without recursion: a cycle in a damaged payload ends here instead of hanging.
    """
    return {name: _reach(name, rules) if rule.dependencies else () for name, rule in rules.items()}


def _reach(start: str, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Every flag of ``rules`` that ``start`` depends on, breadth first. External dependencies are left out."""
    seen = {start}
    order: list[str] = []
    frontier: Iterable[str] = [start]
    while frontier:
        following = []
        for name in frontier:
            for other in rules[name].dependencies:
                if other in rules and other not in seen:
                    seen.add(other)
                    following.append(other)
        order.extend(following)
        frontier = following
    return tuple(order)
