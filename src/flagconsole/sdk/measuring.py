"""Measuring: the part of ``FlagClient`` that counts what came of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagconsole.domain.evaluation import Evaluation
from flagconsole.sdk.answers import Answers
from flagconsole.sdk.operation import Criticals, Operation, TenantOf

if TYPE_CHECKING:
    from flagconsole.sdk.shadow_log import Executed, ShadowLog
    from flagconsole.sdk.usage import Counts, Usage, Values


class Measuring(Answers):
    """Counts operations and shadow executions by flag and tenant. What is counted is sent in batches, by a thread of its own."""

    _usage: Usage
    _shadow: ShadowLog

    def operation(self, flag: str, tenant: TenantOf, *, critical: Criticals = ()) -> Operation:
        """One operation that ``flag`` guards, as a block (``with`` and ``async with``): evaluated once, timed, counted.

        As a decorator each call is an operation, and ``tenant`` may be a function that finds the tenant among the call's
        arguments. Exceptions of the classes in ``critical`` count as critical errors. Never raises, swallows nothing.
        """
        return Operation(self, flag, tenant, critical)

    def record(
        self,
        flag: str,
        tenant: str,
        *,
        ok: bool = True,
        seconds: float | None = None,
        critical: object = None,
        conversion: bool = False,
        values: Values | None = None,
        counts: Counts | None = None,
        evaluation: Evaluation | None = None,
    ) -> None:
        """Count one operation that ``flag`` guards, also where the feature is off: those tenants are what a canary is
        compared with.

        ``seconds`` is how long it took, ``critical`` the fingerprint of a critical error (a text, or the exception),
        ``conversion`` whether somebody did what the feature is for. ``values`` are metrics of one's own: ``True`` and
        ``False`` make a share, numbers a mean; ``counts`` add up. ``evaluation`` is the one that the operation went by
        (default: the present one). Takes microseconds, never raises, and sends nothing itself.
        """
        try:
            self._usage.record(
                self.evaluate(flag, tenant) if evaluation is None else evaluation,
                tenant,
                self._held.server_time(),
                ok=ok,
                seconds=seconds,
                critical=critical,
                conversion=conversion,
                values=values,
                counts=counts,
            )
        except Exception:  # whatever it was given: the operation itself is what matters
            self._usage.ignored += 1

    def record_shadow(self, executed: Executed) -> None:
        """Count one shadow execution, for the flag's shadow report. ``Shadow`` calls it. Never raises, and sends nothing itself."""
        try:
            self._shadow.add(executed, self._held.server_time())
        except Exception:  # whatever it was given: the live request is what matters
            self._shadow.ignored += 1

    def track(
        self,
        flag: str,
        tenant: str,
        *,
        conversion: bool = False,
        values: Values | None = None,
        counts: Counts | None = None,
    ) -> None:
        """Count what came of ``flag`` for the tenant, apart from any operation. Otherwise like ``record``."""
        try:
            self._usage.record(
                self.evaluate(flag, tenant),
                tenant,
                self._held.server_time(),
                conversion=conversion,
                values=values,
                counts=counts,
                operations=0,
            )
        except Exception:  # whatever it was given
            self._usage.ignored += 1
