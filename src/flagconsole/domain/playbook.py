"""Playbooks as data: the ordered steps of a rollback, how long each takes, who is told when, and what is verified at the end.

The first step changes the flag and needs nothing but the store. Every duration is in minutes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import FlagName, Label, clean_text

#: The playbooks that the system knows by name; their steps are data.
GRADUAL: Final = "gradual"
IMMEDIATE: Final = "immediate"
KILL_SWITCH: Final = "kill_switch"
PLAYBOOK_NAMES: Final = (GRADUAL, IMMEDIATE, KILL_SWITCH)

Minutes = Annotated[float, Field(ge=0, le=7 * 24 * 60, allow_inf_nan=False)]
StepName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$", examples=["disable"])]
Audience = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$", examples=["on_call"])]
Prose = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(clean_text)]


class StepKind(StrEnum):
    """What a step does. Only ``flag`` changes a flag; only ``command`` and ``http`` act outside the system."""

    FLAG = "flag"
    WAIT = "wait"
    WATCH = "watch"
    VERIFY = "verify"
    COMMAND = "command"
    HTTP = "http"
    NOTIFY = "notify"
    MANUAL = "manual"

    @property
    def acts_outside(self) -> bool:
        """Whether it does something that the store can't take back or look up."""
        return self in {StepKind.COMMAND, StepKind.HTTP}


class FlagEffect(StrEnum):
    """What a ``flag`` step does to the flag. None of them ever raises exposure.

    ``freeze`` lets nobody in who isn't in: while the run goes on, what would raise exposure is refused. ``halve`` halves
    the percentage, or keeps a stable half of a chosen cohort.
    """

    FREEZE = "freeze"
    HALVE = "halve"
    SHADOW = "shadow"
    OFF = "off"
    KILL = "kill"


class Check(StrEnum):
    """What can be verified without a person.

    ``receipts``: every expected instance has confirmed the flag's newest revision. ``caches``: no expected instance serves
    stale rules. ``dependents_off``: no tenant has a dependent flag enabled. ``errors_zero``: no error was measured lately.
    ``errors_baseline``: the error rate is not above the control group's. ``no_criticals``: no critical error lately.
    ``csat`` and ``latency``: not worse than the control group's. ``services``: every expected instance of the services that the
    flag affects is live with fresh rules, and few of its operations failed lately, whichever way they went.
    """

    RECEIPTS = "receipts"
    CACHES = "caches"
    DEPENDENTS_OFF = "dependents_off"
    ERRORS_ZERO = "errors_zero"
    ERRORS_BASELINE = "errors_baseline"
    NO_CRITICALS = "no_criticals"
    CSAT = "csat"
    LATENCY = "latency"
    SERVICES = "services"


class Condition(StrEnum):
    """When a step is done: ``not_improved`` only where the ``watch`` before it saw no improvement."""

    ALWAYS = "always"
    NOT_IMPROVED = "not_improved"


class OnFailure(StrEnum):
    """Whether a failed step stops the run or the next one is done all the same."""

    STOP = "stop"
    CONTINUE = "continue"


#: The fields that a step of each kind needs, and those that it may have besides the common ones.
_NEEDED: Final[dict[StepKind, frozenset[str]]] = {
    StepKind.FLAG: frozenset({"effect"}),
    StepKind.WAIT: frozenset({"minutes"}),
    StepKind.WATCH: frozenset({"minutes"}),
    StepKind.VERIFY: frozenset({"checks", "minutes"}),
    StepKind.COMMAND: frozenset({"argv"}),
    StepKind.HTTP: frozenset({"endpoint"}),
    StepKind.NOTIFY: frozenset({"audience", "text"}),
    StepKind.MANUAL: frozenset({"text"}),
}
_ALLOWED: Final[dict[StepKind, frozenset[str]]] = {
    StepKind.WATCH: frozenset({"settle_minutes"}),
    StepKind.COMMAND: frozenset({"idempotent", "timeout_seconds"}),
    StepKind.HTTP: frozenset({"idempotent", "timeout_seconds", "method"}),
}
_OF_KINDS: Final = frozenset().union(*_NEEDED.values(), *_ALLOWED.values())


def fields_of(kind: StepKind) -> tuple[list[str], list[str]]:
    """The fields that a step of this kind needs, and those of other kinds that it can't have."""
    needed = _NEEDED[kind]
    return sorted(needed), sorted(_OF_KINDS - needed - _ALLOWED.get(kind, frozenset()))


class Step(Frozen):
    """One step.

    ``minutes`` is how long a ``wait`` waits, and how long a ``watch`` or a ``verify`` tries at most; a ``watch`` doesn't
    end before ``settle_minutes``. ``argv`` begins with the name of a program that the configuration allows, ``endpoint``
    names one of its addresses; ``{flag}``, ``{incident}`` and ``{playbook}`` in arguments are filled in. A step that is
    ``idempotent`` is done again after a crash; another one stops there, since nobody can know whether it happened.
    """

    name: StepName
    title: Prose
    kind: StepKind
    estimate_minutes: Minutes
    when: Condition = Condition.ALWAYS
    on_failure: OnFailure = OnFailure.STOP
    effect: FlagEffect | None = None
    minutes: Minutes | None = None
    settle_minutes: Minutes = 0.0
    checks: Annotated[tuple[Check, ...], Field(max_length=20)] = ()
    argv: Annotated[tuple[Label, ...], Field(max_length=50)] = ()
    endpoint: Label | None = None
    method: Annotated[str, Field(pattern="^(POST|PUT|DELETE)$")] = "POST"
    idempotent: bool = False
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    audience: Audience | None = None
    text: Prose | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        needed, refused = fields_of(self.kind)
        for name in needed:
            if getattr(self, name) in (None, ()):
                raise ValueError(f"a {self.kind.value} step needs {name}")
        for name in refused:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"a {self.kind.value} step has no {name}")
        if self.argv and (self.argv[0].startswith("-") or "/" in self.argv[0] or "{" in self.argv[0]):
            raise ValueError("argv must begin with the name of an allowed program, not with a path or an option")
        return self

    @property
    def acts_outside(self) -> bool:
        """Whether it does something that the store can't take back or look up."""
        return self.kind.acts_outside


class Notice(Frozen):
    """Somebody who is told, and within how many minutes; 0 is now."""

    audience: Audience
    within_minutes: Minutes = 0.0


class Verification(Frozen):
    """One point of the list at the end: verified by ``check``, or where there is none, by a person."""

    text: Prose
    check: Check | None = None


class Playbook(Frozen):
    """The steps of a rollback. ``totals`` holds the estimate for flags whose own differs from the sum of the steps."""

    name: Annotated[str, Field(pattern="^(gradual|immediate|kill_switch)$")]
    description: Prose
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=50)]
    totals: dict[FlagName, Minutes] = Field(default_factory=dict)
    notices: Annotated[tuple[Notice, ...], Field(max_length=50)] = ()
    verifications: Annotated[tuple[Verification, ...], Field(max_length=50)] = ()

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        names = [step.name for step in steps]
        for index, step in enumerate(steps):
            if step.name in names[:index]:
                raise ValueError(f"the step {step.name} is there twice")
            watched = any(earlier.kind is StepKind.WATCH for earlier in steps[:index])
            if step.when is Condition.NOT_IMPROVED and not watched:
                raise ValueError(f"the step {step.name} is for no improvement, but no watch comes before it")
        if steps[0].kind is not StepKind.FLAG:
            raise ValueError(f"the first step must be of kind flag, not {steps[0].kind.value}")
        return steps

    @model_validator(mode="after")
    def _does_what_its_name_says(self) -> Self:
        kills = self.steps[0].effect is FlagEffect.KILL
        if kills != (self.name == KILL_SWITCH):
            raise ValueError("the playbook kill_switch, and no other, begins with the effect kill")
        return self

    @property
    def total_minutes(self) -> float:
        """The sum of the steps' estimates."""
        return sum(step.estimate_minutes for step in self.steps)

    def estimate_for(self, flag_name: str) -> float:
        """How long the whole playbook takes for this flag, minutes."""
        return self.totals.get(flag_name, self.total_minutes)

    def step(self, name: str) -> Step:
        """The step of that name. Raises ``KeyError``."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)
