"""What callers ask of rollouts: the bodies of the HTTP calls."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import Label, ReasonText
from flagconsole.domain.plan import Plan


class RolloutStart(Frozen):
    """``POST /api/flags/{name}/rollout``: by the plan named (the flag's own, or ``default``), or one given whole.
    ``checked``: the caller has seen to what is missing of the pre-canary checklist; it is ticked in their name, if the
    rollout starts."""

    start_reason: ReasonText
    checked: bool = False
    plan_name: Label | None = None
    plan: Plan | None = None

    @model_validator(mode="after")
    def _one_plan(self) -> Self:
        if self.plan is not None and self.plan_name is not None:
            raise ValueError("plan_name and plan: give one of them")
        return self


class Promote(Frozen):
    """``POST /api/flags/{name}/rollout/promote``. ``past_verdict`` goes past one that isn't ``pass``; it needs an admin.
    ``checked`` as in a start."""

    promote_reason: ReasonText
    past_verdict: bool = False
    checked: bool = False


class Hold(Frozen):
    """``POST /api/flags/{name}/rollout/hold``. ``freeze_exposure`` also keeps everyone from raising the exposure."""

    hold_reason: ReasonText
    freeze_exposure: bool = False


class Resume(Frozen):
    """``POST /api/flags/{name}/rollout/resume``."""

    resume_reason: ReasonText


class Abort(Frozen):
    """``POST /api/flags/{name}/rollout/abort``: ends the rollout and leaves the flag as it is."""

    abort_reason: ReasonText


class ReplayAsk(Frozen):
    """``POST /api/flags/{name}/replay``: the flag's newest rollout, or another of its own, judged by another plan; without one
    by the plan that it had."""

    rollout_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    plan_name: Label | None = None
    plan: Plan | None = None

    @model_validator(mode="after")
    def _one_plan(self) -> Self:
        if self.plan is not None and self.plan_name is not None:
            raise ValueError("plan_name and plan: give one of them")
        return self


class PlaybookBegin(Frozen):
    """``POST /api/flags/{name}/playbook``. Without a ``playbook_name`` the one that the rollout's failing metric asks for,
    else ``immediate``. With a ``rollout_id`` only where that very rollout is still running."""

    playbook_reason: ReasonText
    playbook_name: Literal["gradual", "immediate", "kill_switch"] | None = None
    rollout_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class ChecklistTick(Frozen):
    """``PUT /api/flags/{name}/checklist``."""

    items: Annotated[tuple[Label, ...], Field(min_length=1, max_length=20)]
    note: Annotated[str, Field(max_length=1000)] = ""
