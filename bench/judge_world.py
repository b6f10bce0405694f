"""A simulated canary: tenants of unequal size and error rate, drift, bursts, a daily cycle; one row per 30 s look."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from flagconsole.domain.judge import SHAPE_SHARES
from flagconsole.domain.judge.broken_tenant import suspects

LOOK_SECONDS = 30
GRID_SECONDS = 600
SLOW_MS = 720.0
LIMIT_MS = 2000.0
LATENCY_BINS = 256
LOG_LOW, LOG_HIGH = math.log(20.0), math.log(40_000.0)


@dataclass(frozen=True)
class Setting:
    """What a world is like. Rates are per second over all tenants, σ are of logarithms, latencies milliseconds."""

    tenants: int = 200
    share: float = 0.10
    operations_per_second: float = 10.0
    hours: int = 48
    shadow_hours: int = 24
    size_sigma: float = 1.2
    daily_swing: float = 0.6
    error_rate: float = 0.003
    error_tenant_sigma: float = 0.8
    error_drift_sigma: float = 0.4
    bursts_per_day: float = 0.2
    burst_errors: float = 0.05
    burst_minutes: float = 10.0
    latency_median: float = 240.0
    latency_sigma: float = 0.55
    latency_tenant_sigma: float = 0.30
    latency_drift_sigma: float = 0.08
    tail_share: float = 0.02
    critical_rate: float = 1e-5
    incident: bool = False

    @property
    def looks(self) -> int:
        """How many looks the canary phase has."""
        return self.hours * 3600 // LOOK_SECONDS


@dataclass(frozen=True)
class Effect:
    """What the feature does to the canary's operations, from ``onset_hours`` on."""

    errors: float = 1.0
    latency: float = 1.0
    criticals: float = 1.0
    onset_hours: float = 0.0
    one_tenant: float = 0.0


def _wander(rng: np.random.Generator, steps: int, tenants: int, sigma: float, hours: float) -> np.ndarray:
    """Stationary mean-reverting noise on the ten-minute grid, one column per tenant."""
    keep = math.exp(-GRID_SECONDS / 3600 / hours)
    path = rng.standard_normal((steps, tenants)) * sigma
    path[1:] *= math.sqrt(1 - keep * keep)
    for step in range(1, steps):
        path[step] += keep * path[step - 1]
    return path


_Z = np.linspace(-8, 8, 8001)
_PHI = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in _Z])


def _share_above(log_median: np.ndarray, threshold: float, setting: Setting) -> np.ndarray:
    """The share of operations slower than ``threshold`` for tenants with these medians, tail included."""
    distance = log_median - math.log(threshold)
    body = np.interp(distance / setting.latency_sigma, _Z, _PHI)
    tail = np.interp((distance + 1.1) / math.hypot(setting.latency_sigma, 0.3), _Z, _PHI)
    return (1 - setting.tail_share) * body + setting.tail_share * tail


class World:
    """One seed's tenants, traffic and luck. ``trial`` adds an effect to the canary; the rest stays as it is."""

    def __init__(self, setting: Setting, seed: int) -> None:
        rng = np.random.default_rng([20261123, seed])
        self.setting, self.seed = setting, seed
        tenants, looks = setting.tenants, setting.looks
        shadow_steps, steps = setting.shadow_hours * 6, (setting.shadow_hours + setting.hours) * 6
        weight = rng.lognormal(0, setting.size_sigma, tenants)
        weight /= weight.sum()
        hours = rng.uniform(0, 24) + np.arange(steps)[:, None] / 6
        phase = rng.normal(0, 2, tenants)
        rate = setting.operations_per_second * weight
        rate = rate * (1 + setting.daily_swing * np.sin(2 * np.pi * (hours - phase) / 24))
        rate = rate * np.exp(_wander(rng, steps, tenants, 0.3, 1.0) - 0.045)
        spread = setting.error_tenant_sigma**2 / 2 + setting.error_drift_sigma**2 / 2
        errors = rng.normal(0, setting.error_tenant_sigma, tenants)
        errors = errors + _wander(rng, steps, tenants, setting.error_drift_sigma, 8.0) - spread
        errors = setting.error_rate * np.exp(errors)
        median = math.log(setting.latency_median) + rng.normal(0, setting.latency_tenant_sigma, tenants)
        median = median + _wander(rng, steps, tenants, setting.latency_drift_sigma, 8.0)
        median = median + 0.05 * np.sin(2 * np.pi * hours / 24)
        self._shadow(rng, rate[:shadow_steps], errors[:shadow_steps], median[:shadow_steps])
        repeat = GRID_SECONDS // LOOK_SECONDS
        self.operations = rng.poisson(np.repeat(rate[shadow_steps:] * LOOK_SECONDS, repeat, axis=0))
        failing = np.repeat(errors[shadow_steps:], repeat, axis=0)
        self._burst(rng, failing)
        slowness = np.repeat(median[shadow_steps:], repeat, axis=0)
        if setting.incident:
            begin = int(rng.integers(looks - 60))
            failing[begin : begin + 40] += 0.04
            slowness[begin : begin + 40] += math.log(1.6)
        self.canary = np.zeros(tenants, np.bool_)
        self.canary[rng.choice(tenants, max(1, round(setting.share * tenants)), replace=False)] = True
        self._operations_of(rng, np.minimum(failing, 0.9), slowness)

    def _shadow(self, rng: np.random.Generator, rate: np.ndarray, errors: np.ndarray, median: np.ndarray) -> None:
        """The baseline: counts per tenant in two halves, and who was broken in any half hour."""
        setting = self.setting
        count = rng.poisson(rate * GRID_SECONDS)
        errors = errors.copy()
        for tenant, many in enumerate(rng.poisson(setting.bursts_per_day * setting.shadow_hours / 24, errors.shape[1])):
            for _ in range(many):
                share = rng.exponential(setting.burst_minutes) * 60 / GRID_SECONDS
                errors[rng.integers(errors.shape[0]), tenant] += setting.burst_errors * share
        failed = rng.binomial(count, np.minimum(errors, 0.9))
        slow = rng.binomial(count, _share_above(median, SLOW_MS, setting))
        slower = rng.binomial(count, _share_above(median, setting.latency_median, setting))
        half = count.shape[0] // 2
        self.halves = [
            {
                "operations": count[part].sum(0).astype(float),
                "errors": failed[part].sum(0).astype(float),
                "slow": slow[part].sum(0).astype(float),
                "slower": slower[part].sum(0).astype(float),
            }
            for part in (slice(0, half), slice(half, None))
        ]
        broken = np.zeros(setting.tenants, np.bool_)
        for begin in range(0, count.shape[0], 1800 // GRID_SECONDS):
            half_hour = slice(begin, begin + 1800 // GRID_SECONDS)
            broken[suspects(count[half_hour].sum(0).astype(float), failed[half_hour].sum(0).astype(float))] = True
        self.broken_tenants = int(broken.sum())

    def _burst(self, rng: np.random.Generator, failing: np.ndarray) -> None:
        setting = self.setting
        for tenant, many in enumerate(rng.poisson(setting.bursts_per_day * setting.hours / 24, setting.tenants)):
            for _ in range(many):
                begin = int(rng.integers(setting.looks))
                length = max(1, int(rng.exponential(setting.burst_minutes * 60) / LOOK_SECONDS))
                failing[begin : begin + length, tenant] += setting.burst_errors

    def _operations_of(self, rng: np.random.Generator, failing: np.ndarray, slowness: np.ndarray) -> None:
        """Every single operation: where it happened, its luck with errors, and its latency."""
        setting = self.setting
        cell = np.repeat(np.arange(self.operations.size, dtype=np.int32), self.operations.ravel())
        luck = rng.random(cell.size, dtype=np.float32)
        latency = rng.standard_normal(cell.size, dtype=np.float32) * np.float32(setting.latency_sigma)
        tail = rng.integers(0, cell.size, rng.binomial(cell.size, setting.tail_share))
        latency[tail] += (1.1 + 0.3 * rng.standard_normal(tail.size)).astype(np.float32)
        latency += slowness.astype(np.float32).ravel()[cell]
        chance = failing.astype(np.float32).ravel()[cell]
        own = self.canary[cell % setting.tenants]
        self._own = cell[own], luck[own], chance[own], latency[own]
        other_failed = luck[~own] < chance[~own]
        self._other = Arm.of(self, cell[~own], other_failed, latency[~own])
        critical = rng.integers(0, cell.size, rng.poisson(setting.critical_rate * cell.size))
        self._criticals = cell[critical]

    def trial(self, effect: Effect) -> Trial:
        """What is observed when the feature has this effect on the canary."""
        setting = self.setting
        cell, luck, chance, latency = self._own
        late = cell // setting.tenants >= effect.onset_hours * 3600 / LOOK_SECONDS
        chance = np.where(late, chance * np.float32(effect.errors), chance)
        if effect.one_tenant:
            members = np.flatnonzero(self.canary)
            traffic = self.halves[0]["operations"][members] + self.halves[1]["operations"][members]
            middle = members[np.argsort(traffic)[members.size // 2]]
            chance = np.where((cell % setting.tenants == middle) & late, np.float32(effect.one_tenant), chance)
        latency = latency + np.where(late, np.float32(math.log(effect.latency)), np.float32(0))
        criticals = self._criticals
        if effect.criticals > 1:
            rng = np.random.default_rng([77, self.seed])
            hit = cell[late]
            many = rng.poisson((effect.criticals - 1) * setting.critical_rate * hit.size)
            criticals = np.concatenate([criticals, hit[rng.integers(0, hit.size, many)]])
        return Trial(self, Arm.of(self, cell, luck < chance, latency), self._other, criticals)


@dataclass(frozen=True)
class Arm:
    """One group's operations, counted per look and tenant, and its latencies per look and per minute."""

    errors: np.ndarray
    slow: np.ndarray
    slower: np.ndarray
    over_limit: np.ndarray
    histogram: np.ndarray
    minute_errors: np.ndarray
    minute_p95: np.ndarray

    def quantiles(self, looks: int, last: int | None = None) -> np.ndarray:
        """The quantiles of ``SHAPE_SHARES`` at each of the first ``looks`` looks, over all looks so far or the ``last`` ones;
        NaN where there is nothing."""
        counts = self.histogram[:looks].astype(np.float64)
        if last is not None:
            counts[last:] -= self.histogram[: looks - last]
        cumulative = np.cumsum(counts, axis=1)
        total = cumulative[:, -1]
        rows = np.arange(total.size)
        found = []
        for share in SHAPE_SHARES:
            index = (cumulative >= share * total[:, None]).argmax(1)
            before = cumulative[rows, index] - counts[rows, index]
            inside = (share * total - before) / np.maximum(counts[rows, index], 1)
            value = np.exp(LOG_LOW + (index + inside) * (LOG_HIGH - LOG_LOW) / LATENCY_BINS)
            found.append(np.where(total > 0, value, np.nan))
        return np.stack(found, axis=1)

    @classmethod
    def of(cls, world: World, cell: np.ndarray, failed: np.ndarray, latency: np.ndarray) -> Arm:
        """Count a group's operations."""
        setting = world.setting
        shape = (setting.looks, setting.tenants)

        def grid(which: np.ndarray) -> np.ndarray:
            return np.bincount(cell[which], minlength=shape[0] * shape[1]).reshape(shape)

        look = cell // setting.tenants
        position = (latency - np.float32(LOG_LOW)) * np.float32(LATENCY_BINS / (LOG_HIGH - LOG_LOW))
        binned = np.clip(position, 0, LATENCY_BINS - 1).astype(np.int32)
        histogram = np.bincount(look * LATENCY_BINS + binned, minlength=shape[0] * LATENCY_BINS)
        return cls(
            grid(failed),
            grid(latency > math.log(SLOW_MS)),
            grid(latency > math.log(setting.latency_median)),
            grid(latency > math.log(LIMIT_MS)),
            np.cumsum(histogram.reshape(shape[0], LATENCY_BINS), axis=0, dtype=np.int32),
            *_minutes(look, failed, latency, setting.looks // 2),
        )


def _minutes(look: np.ndarray, failed: np.ndarray, latency: np.ndarray, minutes: int) -> tuple[np.ndarray, np.ndarray]:
    """Error rate and p95 of every minute; NaN in a minute without operations."""
    minute = look // 2
    count = np.bincount(minute, minlength=minutes)
    some = np.where(count > 0, count, np.nan)
    rate = np.bincount(minute[failed], minlength=minutes) / some
    ordered = np.sort(minute * 64.0 + latency)
    ends = np.cumsum(count)
    place = np.clip(ends - count + np.ceil(0.95 * count).astype(int) - 1, 0, max(ordered.size - 1, 0))
    return rate, np.where(count > 0, np.exp(ordered[place] - np.arange(minutes) * 64.0), np.nan)


class Trial:
    """What one rollout looked like, look by look."""

    def __init__(self, world: World, own: Arm, other: Arm, criticals: np.ndarray) -> None:
        setting = world.setting
        shape = (setting.looks, setting.tenants)
        self.world, self.own, self.other = world, own, other
        self.canary = world.canary
        self.operations = world.operations
        self.errors = own.errors + other.errors
        self.slow = own.slow + other.slow
        self.slower = own.slower + other.slower
        self.over_limit = own.over_limit + other.over_limit
        self.criticals = np.bincount(criticals, minlength=shape[0] * shape[1]).reshape(shape)


SCENARIOS: dict[str, Effect] = {
    "healthy": Effect(),
    "errors to 1 %": Effect(errors=10 / 3),
    "errors to 3 %": Effect(errors=10.0),
    "p95 +10 %": Effect(latency=1.10),
    "p95 +50 %": Effect(latency=1.50),
    "errors to 3 % after 24 h": Effect(errors=10.0, onset_hours=24),
    "criticals x20": Effect(criticals=20.0),
    "one tenant at 50 %": Effect(one_tenant=0.5),
}

#: The worlds: the table's own, and others in which the level has to hold as well.
WORLDS: dict[str, Setting] = {
    "main": Setting(),
    "incident": Setting(incident=True),
    "half": Setting(share=0.5),
    "few tenants": Setting(tenants=40, share=0.25),
    "little traffic": Setting(operations_per_second=1.0),
    "much drift": Setting(error_drift_sigma=0.8, latency_drift_sigma=0.16, bursts_per_day=1.0),
    "long bursts": replace(Setting(), bursts_per_day=0.1, burst_errors=0.4, burst_minutes=60.0),
}
