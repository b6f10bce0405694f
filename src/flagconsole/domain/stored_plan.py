"""Rollout plans that an environment keeps by name, so that flags and people can ask for them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import ActorName, FlagName, ReasonText
from flagconsole.domain.plan import FlagCriteria, Plan


class PlanEntry(Frozen):
    """A plan with the criteria that single flags have of their own, as a file defines it."""

    plan: Plan
    flags: Annotated[dict[FlagName, FlagCriteria], Field(max_length=2000)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for name, own in self.flags.items():
            if own.flag_name != name:
                raise ValueError(f"flags: {name} holds the criteria of {own.flag_name}")
            self.plan.for_flag(own)
        return self

    @property
    def name(self) -> str:
        """What it is asked for by."""
        return self.plan.name

    def for_flag(self, flag_name: str) -> Plan:
        """The plan as it applies to one flag."""
        own = self.flags.get(flag_name)
        return self.plan if own is None else self.plan.for_flag(own)


class StoredPlan(Frozen):
    """One version of a plan in a store; none is ever changed. ``entry`` is null where the plan was removed. ``revision`` is the
    store's when it was written."""

    plan_name: str
    version: Annotated[int, Field(ge=1)]
    entry: PlanEntry | None
    change_reason: ReasonText
    changed_by: ActorName
    changed_at: AwareDatetime
    revision: int
    correlation_id: str | None = None
