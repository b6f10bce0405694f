"""Asking: the part of ``FlagClient`` that answers, from the rules at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.states import UNDER_WAY, FlagState
from flagconsole.sdk.held import Held

Result = TypeVar("Result")

_OFF, _SHADOW, _CANARY, _ON = FlagState.OFF, FlagState.SHADOW, FlagState.CANARY, FlagState.ON
_KILL: Final = FlagState.KILL


class Answers:
    """Answers about flags. Asking takes no lock and no I/O, and never raises: what is unknown is ``off``."""

    _held: Held

    def state(self, flag: str, tenant: str) -> FlagState:
        """The effective state of ``flag`` for ``tenant``."""
        try:
            known = self._held.known((flag, tenant))
        except Exception:
            known = None
        return self._evaluate(flag, tenant).state if known is None else known.state

    def is_enabled(self, flag: str, tenant: str) -> bool:
        """Whether the feature runs for real: ``canary`` or ``on``."""
        state = self.state(flag, tenant)
        return state is _ON or state is _CANARY

    def is_shadow(self, flag: str, tenant: str) -> bool:
        """Whether the feature runs read-only."""
        return self.state(flag, tenant) is _SHADOW

    def evaluate(self, flag: str, tenant: str) -> Evaluation:
        """The effective state with its reason and the revision that it was computed from; -1 without any data."""
        try:
            known = self._held.known((flag, tenant))
        except Exception:
            known = None
        return self._evaluate(flag, tenant) if known is None else known

    def evaluate_for_all(self, flag: str) -> Evaluation | None:
        """The effective state that every tenant gets; None where it depends on the tenant."""
        ruleset = self._held.served
        if ruleset is None or not isinstance(flag, str) or self._killed_here(flag) or self._held.too_old():
            return self._evaluate(flag, "")
        return ruleset.evaluate_for_all(flag, self._held.server_time())

    def version(self, flag: str) -> int | None:
        """The version of the flag that answers come from; None for a flag that isn't known."""
        ruleset = self._held.served
        rule = None if ruleset is None else ruleset.rules.get(flag)
        return None if rule is None else rule.version

    def flags_under_way(self) -> list[str]:
        """The flags that are in shadow or canary now, by name."""
        ruleset = self._held.served
        return (
            [] if ruleset is None else sorted(name for name, rule in ruleset.rules.items() if rule.state in UNDER_WAY)
        )

    def with_flag(
        self, flag: str, tenant: str, fn: Callable[[], Result], fallback: Callable[[], Result] | Result
    ) -> Result:
        """``fn()`` where the feature is enabled, otherwise ``fallback``, which is called if it can be.

        What ``fn`` and ``fallback`` raise is the caller's.
        """
        if self.is_enabled(flag, tenant):
            return fn()
        return fallback() if callable(fallback) else fallback

    def _evaluate(self, flag: object, tenant: object) -> Evaluation:
        """The long way: for a first question, for wrong arguments, and where time matters."""
        name = flag if isinstance(flag, str) else ""
        ruleset = self._held.served
        if self._killed_here(name):
            # Before all else, as every kill: without rules, and however old they are.
            return Evaluation(name, _KILL, Reason.KILLED, -1 if ruleset is None else ruleset.revision)
        if ruleset is None:
            return Evaluation(name, _OFF, Reason.STALE, -1)
        if not isinstance(flag, str) or not isinstance(tenant, str):
            return Evaluation(name, _OFF, Reason.FLAG_NOT_FOUND, ruleset.revision)
        if self._held.too_old():
            return Evaluation(name, _OFF, Reason.STALE, ruleset.revision)
        try:
            return ruleset.evaluate(flag, tenant, self._held.server_time())
        except Exception:  # a subclass of str may do anything
            return Evaluation(name, _OFF, Reason.FLAG_NOT_FOUND, ruleset.revision)

    def _killed_here(self, name: str) -> bool:
        try:
            return name in self._held.killed_here
        except Exception:  # a subclass of str may do anything
            return False
