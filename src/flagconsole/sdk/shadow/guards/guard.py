"""What all guards have in common: when they hold, and counting."""

from __future__ import annotations

import threading

from flagconsole.domain.execution_type import EffectKind
from flagconsole.sdk.shadow.context import current
from flagconsole.sdk.shadow.effect import Effect


class Guard:
    """Holds in shadow executions, and with ``always`` everywhere. Outside of both it lets everything through."""

    kind: EffectKind

    def __init__(self, *, always: bool = False) -> None:
        self._always = always
        self._lock = threading.Lock()
        self._prevented = 0

    @property
    def prevented(self) -> int:
        """How many effects this guard has kept from happening so far."""
        return self._prevented

    @property
    def holds(self) -> bool:
        """Whether it holds for the code that asks."""
        return self._always or current.get() is not None

    def keep_back(self, what: str, times: int = 1) -> None:
        """Count an effect, here and in the execution that it belongs to."""
        with self._lock:
            self._prevented += times
        context = current.get()
        if context is not None:
            context.keep_back(Effect(self.kind, what, times))
