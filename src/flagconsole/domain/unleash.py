"""How rules are said in the payload that Unleash's clients evaluate themselves.

An Unleash feature is on or off, so ``canary`` and ``on`` are on and everything else is off; a shadow flag is off for these
clients. A feature without strategies would be on for everybody, so whatever enables nobody is said as ``enabled: false``.
No pydantic here, as in ``evaluation``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from flagconsole.domain.evaluation import OverrideRule, Rule, Ruleset
from flagconsole.domain.states import ENABLING, FlagState

#: Raised with every change of what the same rules are said as, so that clients don't keep what they have.
MAPPING_VERSION: Final = 1
#: The property of the client's context that names the tenant.
TENANT: Final = "tenantId"
#: No flag's name contains it.
_OWN: Final = "~own"

Json = dict[str, Any]


def feature_name(ruleset: Ruleset, flag_name: str) -> str:
    """The feature that others name when they depend on the flag.

    Unleash's clients refuse a parent that has parents itself. So who depends on others names all of them, near and far, and
    of each one only its own rules: caps compose as a minimum. Where a flag has dependencies, a feature beside it has them not.
    """
    return f"{flag_name}{_OWN}" if ruleset.closure(flag_name) else flag_name


def feature_names(ruleset: Ruleset) -> list[str]:
    """The features that the rules are said with: one for each flag, and one more for each that has dependencies and is one."""
    parents = {name for name in ruleset.needed_by if ruleset.closure(name)}
    return [*ruleset.rules, *(feature_name(ruleset, name) for name in sorted(parents))]


def flag_of(name: str) -> str:
    """The flag that a feature is about."""
    return name.removesuffix(_OWN)


def feature(ruleset: Ruleset, name: str) -> Json:
    """One feature. ``name`` is one of ``feature_names``."""
    flag_name = flag_of(name)
    rule = ruleset.rules[flag_name]
    strategies = _strategies(rule, ruleset.overrides.get(flag_name, {}))
    if ruleset.tenant is not None and _is_trimmed(ruleset.tenant):
        # Rules of one tenant know nothing of the others, so they enable nothing for them.
        strategies = [{**item, "constraints": [*item["constraints"], _among([ruleset.tenant])]} for item in strategies]
    parents = ruleset.closure(flag_name) if name == flag_name else ()
    return {
        "name": name,
        "type": "release",
        "project": "default",
        "enabled": bool(strategies),
        "stale": False,
        "impressionData": False,
        "strategies": strategies,
        "variants": [],
        "dependencies": [{"feature": feature_name(ruleset, parent), "enabled": True} for parent in parents],
    }


def _strategies(rule: Rule, overrides: Mapping[str, OverrideRule]) -> list[Json]:
    """Any of these enables the feature; none where it is enabled for nobody. Dependencies are left out."""
    if rule.state is FlagState.KILL:
        return []
    enabling = {tenant: item for tenant, item in overrides.items() if item.state in ENABLING}
    disabling = {tenant: item for tenant, item in overrides.items() if item.state not in ENABLING}
    found = [
        _strategy("default", constraints=[_among(tenants), *_until(expires_at)])
        for expires_at, tenants in _by_expiry(enabling)
        if tenants
    ]
    for name, parameters, constraints in _base(rule, has_overrides=bool(overrides)):
        found.append(_strategy(name, parameters, [*constraints, *_none_of(disabling)]))
        # From the second on in which an override expires, its tenants are like all others.
        found += [
            _strategy(name, parameters, [*constraints, _among(tenants), *_from(expires_at)])
            for expires_at, tenants in _by_expiry(disabling)
            if tenants and expires_at != inf
        ]
    return found


_Base = tuple[str, dict[str, str], list[Json]]


def _base(rule: Rule, *, has_overrides: bool) -> list[_Base]:
    """Whom the flag's own state enables."""
    if rule.state is FlagState.ON:
        # A client that doesn't name the tenant could pass over that tenant's override.
        return [("flexibleRollout", _rollout(rule.flag_name, 100), [])] if has_overrides else [("default", {}, [])]
    if rule.state is not FlagState.CANARY:
        return []
    found: list[_Base] = []
    if rule.cohort:
        found.append(("default", {}, [_among(rule.cohort)]))
    if not rule.cohort or rule.holdout is not None:
        held_out = _none_of(rule.holdout or ())
        found.append(("flexibleRollout", _rollout(rule.flag_name, rule.percentage), held_out))
    return found


def _rollout(flag_name: str, percentage: int) -> dict[str, str]:
    return {"rollout": str(percentage), "stickiness": TENANT, "groupId": flag_name}


def _strategy(name: str, parameters: dict[str, str] | None = None, constraints: Iterable[Json] = ()) -> Json:
    return {"name": name, "parameters": parameters or {}, "constraints": list(constraints)}


def _by_expiry(overrides: Mapping[str, OverrideRule]) -> list[tuple[float, list[str]]]:
    found: dict[float, list[str]] = {}
    for tenant, override in overrides.items():
        if _is_trimmed(tenant):
            found.setdefault(override.expires_at, []).append(tenant)
    return sorted(found.items())


def _among(tenants: Iterable[str]) -> Json:
    """The tenant is one of these."""
    return _constraint("IN", TENANT, values=sorted(tenant for tenant in tenants if _is_trimmed(tenant)))


def _none_of(tenants: Iterable[str]) -> list[Json]:
    """The tenant is none of these."""
    listed = sorted(tenants)
    plain = [tenant for tenant in listed if _is_trimmed(tenant)]
    odd = [re.escape(tenant) for tenant in listed if not _is_trimmed(tenant)]
    found = [_constraint("NOT_IN", TENANT, values=plain)] if plain else []
    if odd:
        found.append(_constraint("REGEX", TENANT, value=f"^(?:{'|'.join(odd)})$", inverted=True))
    return found


def _is_trimmed(tenant: str) -> bool:
    """Whether clients leave the id alone: some trim the values of a list, so that ``" a"`` there would mean ``"a"``. Such a
    tenant is never taken in by a list; where one has to be kept out, that takes an operator that only newer clients know,
    and older ones keep everybody out."""
    return tenant == tenant.strip().strip("\ufeff") != ""


def _until(expires_at: float) -> list[Json]:
    return [] if expires_at == inf else [_constraint("DATE_BEFORE", "currentTime", value=_date(expires_at))]


def _from(expires_at: float) -> list[Json]:
    return [_constraint("DATE_BEFORE", "currentTime", value=_date(expires_at), inverted=True)]


def _date(seconds: float) -> str:
    """A moment to the millisecond; what lies outside the calendar is its first or last one."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        moment = datetime(9999, 12, 31, tzinfo=UTC) if seconds > 0 else datetime(1970, 1, 1, tzinfo=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _constraint(
    operator: str,
    context_name: str,
    *,
    values: list[str] | None = None,
    value: str | None = None,
    inverted: bool = False,
) -> Json:
    about: Json = {"contextName": context_name, "operator": operator, "inverted": inverted, "caseInsensitive": False}
    return {**about, "values": values or []} if value is None else {**about, "values": [], "value": value}
