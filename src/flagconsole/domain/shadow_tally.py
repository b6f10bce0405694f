"""Sums of shadow executions: of one tenant, or of all, in one bucket or a whole window."""

from __future__ import annotations

from typing import NamedTuple

from flagconsole.domain.execution_type import EffectKind


class ShadowTally(NamedTuple):
    """``successes`` neither raised nor failed a validation; ``errors`` raised. ``skipped`` requests were left out by the
    budget and are no executions. ``seconds`` is the time of the shadow work. Of ``compared`` executions the old way ran too
    and took ``live_seconds`` in all; in ``consistent`` ones it came to the same result. Then UI intents, how many of them were
    invalid, and the effects that guards kept from happening."""

    executions: int = 0
    successes: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    compared: int = 0
    consistent: int = 0
    live_seconds: float = 0.0
    intents: int = 0
    invalid_intents: int = 0
    database: int = 0
    http: int = 0
    notification: int = 0
    function: int = 0

    def plus(self, other: ShadowTally) -> ShadowTally:
        """Both together."""
        return ShadowTally._make(one + another for one, another in zip(self, other, strict=True))

    @property
    def effects(self) -> dict[EffectKind, int]:
        """What was kept from happening, by kind."""
        return {
            EffectKind.DATABASE: self.database,
            EffectKind.HTTP: self.http,
            EffectKind.NOTIFICATION: self.notification,
            EffectKind.FUNCTION: self.function,
        }

    @property
    def mismatches(self) -> int:
        """Compared executions in which old and new differed."""
        return self.compared - self.consistent

    def share(self, part: int) -> float | None:
        """``part`` of all executions; None without any."""
        return part / self.executions if self.executions else None

    @property
    def consistency(self) -> float | None:
        """The share of compared executions that came to the same result; None where nothing was compared."""
        return self.consistent / self.compared if self.compared else None

    @property
    def mean_seconds(self) -> float | None:
        """The mean time of an execution; None without any."""
        return self.seconds / self.executions if self.executions else None
