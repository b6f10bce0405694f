"""The cohort of a canary that goes by no draw: by hash, as where too little is known of the tenants, or of tenants that somebody named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flagconsole.domain.bucketing import bucket
from flagconsole.domain.cohort import INSIDE, Placement
from flagconsole.domain.cohort_views import CohortTenant, UndrawnCohort
from flagconsole.domain.evaluation import Rule, in_cohort
from flagconsole.domain.flag import Flag
from flagconsole.domain.tenant import TenantProfile
from flagconsole.store.protocol import Head


def undrawn(
    head: Head,
    flag: Flag,
    profiles: Sequence[TenantProfile],
    *,
    tenant_id: str | None = None,
    inside: bool | None = None,
    after: str | None = None,
    limit: int,
) -> UndrawnCohort:
    """A canary's tenants with the page of them that is asked for."""
    rule = flag.rule()
    active = {profile.tenant_id: profile.name for profile in profiles if profile.active}
    wanted = [
        item
        for item in _tenants(rule, active, {profile.tenant_id: profile.name for profile in profiles})
        if (tenant_id is None or item.tenant_id == tenant_id)
        and (inside is None or item.inside is inside)
        and (after is None or item.tenant_id > after)
    ]
    page = wanted[:limit]
    return UndrawnCohort(
        epoch=head.epoch,
        revision=head.revision,
        flag_name=flag.flag_name,
        current_state=flag.current_state,
        percentage=flag.canary_percentage,
        named=len(rule.cohort) or None,
        population=len(active),
        actual=sum(in_cohort(rule, name) for name in active),
        tenants=tuple(page),
        next_after=page[-1].tenant_id if len(wanted) > limit else None,
    )


def _tenants(rule: Rule, active: dict[str, str], known: dict[str, str]) -> Iterable[CohortTenant]:
    for name in sorted({*active, *rule.cohort}):
        placement, text = _placement(rule, name)
        if name not in active:
            text += "; not active" if name in known else "; the store knows no such tenant"
        yield CohortTenant(
            tenant_id=name,
            name=known.get(name, ""),
            inside=placement in INSIDE,
            drawn=False,
            placement=placement,
            text=text,
        )


def _placement(rule: Rule, tenant_id: str) -> tuple[Placement, str]:
    """Why the evaluator lets a tenant in, or doesn't."""
    inside = in_cohort(rule, tenant_id)
    if tenant_id in rule.cohort:
        return Placement.NAMED, "named"
    if rule.holdout is not None and tenant_id in rule.holdout:
        return Placement.NOT_NAMED, "held out"
    if rule.cohort and rule.holdout is None:
        return Placement.NOT_NAMED, "not named"
    number = bucket(rule.flag_name, tenant_id)
    return Placement.HASH_IN if inside else Placement.HASH_OUT, f"bucket {number} of 100"
