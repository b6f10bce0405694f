"""The shadow execution that the running code belongs to.

It is a context variable: what the code awaits and the tasks it starts belong to the same execution, other requests don't. Threads
are made to follow as well (``threads``).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from flagconsole.domain.execution_type import EffectKind, ExecutionType
from flagconsole.sdk.shadow.effect import Effect
from flagconsole.sdk.shadow.errors import OutOfTime

if TYPE_CHECKING:
    from flagconsole.sdk.shadow.intents import UiIntent

#: Effects and intents kept one by one for each execution; beyond it they are only counted.
MAX_EFFECTS: Final = 100
MAX_INTENTS: Final = 500

current: ContextVar[ShadowContext | None] = ContextVar("flagconsole_shadow", default=None)


def current_shadow() -> ShadowContext | None:
    """The execution that the running code belongs to; None where it runs for real."""
    return current.get()


def in_shadow() -> bool:
    """Whether the running code belongs to a shadow execution."""
    return current.get() is not None


class ShadowContext:
    """One execution under way. Its threads and tasks may write to it at once. ``deadline`` in monotonic seconds."""

    def __init__(
        self, execution_id: str, flag: str, tenant: str, execution_type: ExecutionType, deadline: float | None
    ) -> None:
        self.execution_id = execution_id
        self.flag = flag
        self.tenant = tenant
        self.execution_type = execution_type
        self._deadline = deadline
        self._lock = threading.Lock()
        self._counts: Counter[EffectKind] = Counter()
        self._effects: list[Effect] = []
        self._intents: list[UiIntent] = []
        self._intent_count = 0

    def keep_back(self, effect: Effect) -> None:
        """Count an effect that a guard keeps from happening. Raises ``OutOfTime`` when the execution's time is over, which is
        where code that can't be interrupted ends."""
        with self._lock:
            self._counts[effect.kind] += effect.times
            if len(self._effects) < MAX_EFFECTS:
                self._effects.append(effect)
        self.check_time()

    def record_intent(self, intent: UiIntent) -> None:
        """Keep what the user interface would do. Raises ``OutOfTime`` as ``keep_back`` does."""
        with self._lock:
            self._intent_count += 1
            if len(self._intents) < MAX_INTENTS:
                self._intents.append(intent)
        self.check_time()

    def check_time(self) -> None:
        """Raise ``OutOfTime`` when the execution's time is over."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise OutOfTime("this shadow execution has used up its time")

    @property
    def effect_counts(self) -> dict[EffectKind, int]:
        """What was kept from happening so far, by kind."""
        with self._lock:
            return dict(self._counts)

    @property
    def effects(self) -> tuple[Effect, ...]:
        """The first of the effects, one by one."""
        with self._lock:
            return tuple(self._effects)

    @property
    def intents(self) -> tuple[UiIntent, ...]:
        """The first of the intents, in order."""
        with self._lock:
            return tuple(self._intents)

    @property
    def intent_count(self) -> int:
        """All intents, kept or not."""
        with self._lock:
            return self._intent_count
