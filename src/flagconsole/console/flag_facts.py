"""What a flag's detail is made of besides the state: what was counted here, and what the server was asked for."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from flagconsole.console.impact import KillImpact
from flagconsole.console.rows import ChangeRow, FlagRow
from flagconsole.console.state import ConsoleState
from flagconsole.domain.evaluation import Reason

if TYPE_CHECKING:
    from flagconsole.domain.cohort_views import AnyCohort, CohortTenant

#: With more known tenants than this they aren't counted by reason: that would be felt in the keys.
COUNTED_TENANTS = 5_000


class FlagFacts(NamedTuple):
    """All that the tabs show of one flag. ``now`` is the server's time. What is asked for is None until there is an answer,
    and a text where the answer is why there is none."""

    state: ConsoleState
    row: FlagRow
    now: float
    impact: KillImpact | None
    changes: tuple[ChangeRow, ...] = ()
    cohort: AnyCohort | str | None = None
    placement: CohortTenant | str | None = None
    json: dict[str, Any] | str | None = None


class ReasonCount(NamedTuple):
    """For how many tenants each reason decides."""

    by_reason: Counter[Reason]
    tenants: int


def counted_reasons(state: ConsoleState, flag_name: str, now: float) -> ReasonCount | None:
    """Why each known tenant gets what it gets of a flag, counted; None where there are too many to count here."""
    if len(state.tenants) > COUNTED_TENANTS:
        return None
    evaluate = state.ruleset.evaluate
    return ReasonCount(Counter(evaluate(flag_name, tenant, now).reason for tenant in state.tenants), len(state.tenants))


def enabled_tenants(state: ConsoleState, flag_name: str, now: float) -> list[str]:
    """The known tenants that have the feature."""
    return [tenant for tenant in state.tenants if state.ruleset.evaluate(flag_name, tenant, now).enabled]


def named(state: ConsoleState, tenants: list[str]) -> str:
    """Tenants as text for the clipboard: a row each, id and name."""
    return "\n".join(f"{tenant}\t{state.tenant_names.get(tenant, '')}" for tenant in tenants)
