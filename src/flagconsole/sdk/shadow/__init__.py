"""Shadow mode: run a feature's new way where it can do no harm. Guards are in ``flagconsole.sdk.shadow.guards``."""

from flagconsole.domain.execution_type import EffectKind, ExecutionType
from flagconsole.sdk.shadow.budget import Budget, Skipped
from flagconsole.sdk.shadow.comparison import Comparison, Difference, DifferenceKind
from flagconsole.sdk.shadow.context import current_shadow, in_shadow
from flagconsole.sdk.shadow.effect import Effect
from flagconsole.sdk.shadow.errors import GuardBroken, GuardRefused, OutOfTime, ShadowError
from flagconsole.sdk.shadow.intent_bus import IntentBus, Replayed
from flagconsole.sdk.shadow.intents import IntentType, UiIntent
from flagconsole.sdk.shadow.result import ShadowResult
from flagconsole.sdk.shadow.shadow import Shadow
from flagconsole.sdk.shadow.threads import carried
from flagconsole.sdk.shadow.validation import Validation

__all__ = [
    "Budget",
    "Comparison",
    "Difference",
    "DifferenceKind",
    "Effect",
    "EffectKind",
    "ExecutionType",
    "GuardBroken",
    "GuardRefused",
    "IntentBus",
    "IntentType",
    "OutOfTime",
    "Replayed",
    "Shadow",
    "ShadowError",
    "ShadowResult",
    "Skipped",
    "UiIntent",
    "Validation",
    "carried",
    "current_shadow",
    "in_shadow",
]
