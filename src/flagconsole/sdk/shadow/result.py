"""What a shadow execution came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, TypeVar

from flagconsole.domain.execution_type import EffectKind, ExecutionType
from flagconsole.sdk.shadow.budget import Skipped
from flagconsole.sdk.shadow.comparison import Difference
from flagconsole.sdk.shadow.effect import Effect
from flagconsole.sdk.shadow.intents import UiIntent
from flagconsole.sdk.shadow.validation import Validation

New = TypeVar("New")
Old = TypeVar("Old")


class ExecutionError(NamedTuple):
    """What was raised, and where: in the ``handler``, a ``guard``, a ``validation``, or by the ``budget``. The ``exception`` stays in
    the process; reports have its class only."""

    error: str
    source: str
    exception: BaseException


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowResult(Generic[New, Old]):
    """One execution.

    ``result`` is what the handler returned; None where it failed or didn't run. ``live`` is what the old way returned
    (``compare=``). ``differences`` is None where nothing was compared, and empty where both came to the same. ``skipped`` says why
    nothing was executed. ``effects`` and ``ui_intents`` are the first of each; ``effect_counts`` and ``intent_count`` count all.
    """

    execution_id: str
    execution_type: ExecutionType
    operation: str
    shadow_mode: Literal[True] = True
    time_ms: float = 0.0
    result: New | None = None
    errors: tuple[ExecutionError, ...] = ()
    validations: tuple[Validation, ...] = ()
    ui_intents: tuple[UiIntent, ...] = ()
    intent_count: int = 0
    effects: tuple[Effect, ...] = ()
    effect_counts: Mapping[EffectKind, int] = field(default_factory=dict)
    live: Old | None = None
    differences: tuple[Difference, ...] | None = None
    skipped: Skipped | None = None

    @property
    def executed(self) -> bool:
        """Whether anything was executed."""
        return self.skipped is None

    @property
    def success(self) -> bool:
        """Whether it was executed, raised nothing and failed no validation."""
        return self.executed and not self.errors and all(item.passed for item in self.validations)
