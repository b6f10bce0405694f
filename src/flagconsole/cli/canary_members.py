"""Who is in a canary whose tenants nothing drew: where too little is known of the tenants the hash decides, or somebody named
them one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend


class CanaryMember(NamedTuple):
    """One active tenant, in or out, and why."""

    tenant_id: str
    name: str
    inside: bool
    why: str


class CanaryMembers(NamedTuple):
    """A canary by hash, or of tenants named one by one, with all active tenants."""

    flag_name: str
    percentage: int
    by_hash: bool
    tenants: tuple[CanaryMember, ...]

    @property
    def inside(self) -> tuple[CanaryMember, ...]:
        """Those that have it."""
        return tuple(item for item in self.tenants if item.inside)


async def canary_members(backend: Backend, flag_name: str) -> CanaryMembers | None:
    """The members of the flag's canary by its own rule; None where it is no canary."""
    from flagconsole.domain.bucketing import bucket
    from flagconsole.domain.evaluation import in_cohort

    flag = (await backend.flag(flag_name)).flag
    if flag.current_state is not FlagState.CANARY:
        return None
    rule, tenants = flag.rule(), []
    by_hash = not rule.cohort
    for tenant in (await backend.tenants()).tenants:
        if tenant.active:
            named = "named" if tenant.tenant_id in rule.cohort else "not named"
            why = f"bucket {bucket(flag_name, tenant.tenant_id)} of 100" if by_hash else named
            tenants.append(CanaryMember(tenant.tenant_id, tenant.name, in_cohort(rule, tenant.tenant_id), why))
    return CanaryMembers(flag_name, flag.canary_percentage, by_hash, tuple(tenants))
