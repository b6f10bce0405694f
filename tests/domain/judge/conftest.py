"""A small simulated fleet for the judge's tests: seeded, without time or sleep."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from flagconsole.domain.judge import Assignment, Baseline, Counts, GroupValue, Judge, Latency, MetricValue, Observation
from flagconsole.domain.plan import Criterion, Phase, PhaseKind

Floats = NDArray[np.float64]


def limits(*texts: str, **more: object) -> tuple[Criterion, ...]:
    """Criteria from words like ``error_rate > 0.02``."""
    found = []
    for text in texts:
        metric, comparison, value = text.split()
        found.append(
            Criterion.model_validate({"metric": metric, "comparison": comparison, "value": float(value)} | more)
        )
    return tuple(found)


def canary_phase(**changes: object) -> Phase:
    """A canary of 10 %: 1 % errors pass, more than 2 % roll back; two hours at least."""
    phase = Phase(
        name="canary 10",
        kind=PhaseKind.CANARY,
        percentage=10,
        min_hours=2,
        min_operations=200,
        min_tenants=5,
        success=limits("error_rate <= 0.01", "p95_regression <= 0.10"),
        rollback=limits("error_rate > 0.02", "p95_regression > 0.50"),
    )
    return phase.model_copy(update=changes)


@dataclass
class Fleet:
    """Tenants of unequal size, 60 operations per tenant and hour on average (times ``traffic``), 30 s looks."""

    assignment: Assignment
    seed: int = 1
    traffic: float = 10.0
    error_rate: float = 0.003
    look_seconds: float = 30.0
    p95_ms: float = 700.0

    @classmethod
    def drawn(cls, tenants: int = 100, cohort: int = 20, seed: int = 1) -> Fleet:
        """A cohort drawn at random."""
        names = [f"tenant-{number:03d}" for number in range(tenants)]
        chosen = np.random.default_rng([3, seed]).choice(tenants, cohort, replace=False)
        return cls(Assignment.drawn(names, [names[index] for index in chosen], seed_text=f"draw/{seed}"), seed)

    def weights(self) -> Floats:
        """Each tenant's share of the traffic, 1 on average."""
        weight = np.random.default_rng([4, self.seed]).lognormal(0, 0.8, self.assignment.size)
        return weight / weight.mean()

    def counts(self, rng: np.random.Generator, seconds: float, errors: Floats | float, slow: Floats | float) -> Counts:
        """What happens in ``seconds`` at these rates."""
        operations = rng.poisson(self.traffic * seconds / 60 * self.weights())
        zeros = np.zeros(self.assignment.size)
        return Counts(
            operations.astype(float),
            rng.binomial(operations, errors).astype(float),
            rng.binomial(operations, slow).astype(float),
            zeros,
        )

    def baseline(self) -> Baseline:
        """A day of shadow."""
        rng = np.random.default_rng([5, self.seed])
        return Baseline(*(self.counts(rng, 43_200, self.error_rate, 0.05) for _ in range(2)))

    def looks(
        self,
        count: int,
        *,
        canary_errors: float | None = None,
        canary_slow: float = 0.05,
        per_tenant: dict[int, float] | None = None,
        all_errors: Callable[[int], float] | None = None,
    ) -> Iterator[Observation]:
        """``count`` looks. ``canary_errors`` is the cohort's error rate, ``per_tenant`` that of single tenants (by place),
        ``all_errors`` everybody's at a look."""
        rng = np.random.default_rng([6, self.seed])
        canary = self.assignment.canary
        history = [Counts(*(np.zeros(self.assignment.size) for _ in range(4)))]
        for look in range(1, count + 1):
            base = self.error_rate if all_errors is None else all_errors(look)
            errors = np.where(canary, base if canary_errors is None else canary_errors, base)
            for place, rate in (per_tenant or {}).items():
                errors[place] = rate
            new = self.counts(rng, self.look_seconds, errors, np.where(canary, canary_slow, 0.05))
            history.append(add(history[-1], new))
            p95 = self.p95_ms * (canary_slow / 0.05) ** 0.25
            yield Observation(
                seconds=look * self.look_seconds,
                whole_phase=history[-1],
                last_hour=self._window(history, 3600),
                last_half_hour=self._window(history, 1800),
                canary_latency=Latency(p95, 1.5 * p95),
                control_latency=Latency(self.p95_ms, 1.5 * self.p95_ms),
            )

    def _window(self, history: list[Counts], seconds: float) -> Counts:
        back = int(seconds / self.look_seconds)
        return history[-1] if len(history) <= back else add(history[-1], history[-1 - back], -1.0)

    def judge(self, phase: Phase | None = None, **more: object) -> Judge:
        """A judge with this fleet's baseline."""
        return Judge(self.assignment, phase or canary_phase(), baseline=self.baseline(), **more)  # type: ignore[arg-type]


def add(one: Counts, other: Counts, sign: float = 1.0) -> Counts:
    """The sum (or difference) of two counts."""
    pairs = zip(one.columns().values(), other.columns().values(), strict=True)
    return Counts(*(a + sign * b for a, b in pairs))


def with_metric(
    seen: Observation, name: str, canary: GroupValue | None, control: GroupValue | None = None
) -> Observation:
    """An observation that also has this metric."""
    return replace(seen, metrics={**seen.metrics, name: MetricValue(canary, control)})


class Tools:
    """What the tests of this folder share."""

    Fleet = Fleet
    limits = staticmethod(limits)
    canary_phase = staticmethod(canary_phase)
    with_metric = staticmethod(with_metric)
    add = staticmethod(add)


@pytest.fixture
def tools() -> type[Tools]:
    """The shared builders."""
    return Tools
