"""The rules that the judge competes with. Each returns the look at which it rolls back, or -1."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from bench.judge_world import LOOK_SECONDS, Trial

ERROR_LIMIT = 0.02
NORMAL = NormalDist()
#: What each rule may spend on errors and on slow operations alike, one-sided.
ALPHA = 0.005


class Totals:
    """A trial by group: one number per look."""

    def __init__(self, trial: Trial) -> None:
        own, other = trial.canary, ~trial.canary
        self.trial = trial
        self.operations, self.control_operations = _groups(trial.operations, own, other)
        self.errors, self.control_errors = _groups(trial.errors, own, other)
        self.slow, self.control_slow = _groups(trial.slow, own, other)
        self.over_limit = trial.over_limit[:, own].sum(1)
        self.incidents = np.cumsum((trial.criticals[:, own] > 0).sum(1))

    @property
    def pairs(self) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
        """Canary's and control's errors, and slow operations."""
        return (self.errors, self.control_errors), (self.slow, self.control_slow)


def _groups(values: np.ndarray, own: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values[:, own].sum(1), values[:, other].sum(1)


def _first(bad: np.ndarray) -> int:
    index = int(bad.argmax())
    return index if bad[index] else -1


def _trailing(values: np.ndarray, looks: int) -> np.ndarray:
    """Sums over the last ``looks`` looks."""
    total = np.concatenate([[0], np.cumsum(values)])
    ends = np.arange(1, values.size + 1)
    return total[ends] - total[np.maximum(ends - looks, 0)]


def _violations(totals: Totals, looks: int) -> np.ndarray:
    """Where the plan's rollback limits are violated in the last looks: errors > 2 % or p95 > 2000 ms."""
    operations = _trailing(totals.operations, looks)
    bad_errors = _trailing(totals.errors, looks) > ERROR_LIMIT * operations
    bad_latency = _trailing(totals.over_limit, looks) > 0.05 * operations
    return (operations > 0) & (bad_errors | bad_latency)


def thresholds(looks: int) -> Callable[[Totals], int]:
    """The plan's limits as they stand, on a trailing window; two critical incidents as well."""

    def rule(totals: Totals) -> int:
        return _first(_violations(totals, looks) | (totals.incidents >= 2))

    return rule


def own_thresholds(totals: Totals) -> int:
    """What the judge does under ``evidence: threshold``: the limits on the last half hour, once there is enough data."""
    enough = np.cumsum(totals.operations) >= 500
    return _first(_violations(totals, 1800 // LOOK_SECONDS) & enough)


def failed_measurements(totals: Totals, every: int = 10, tolerated: int = 3) -> int:
    """Argo Rollouts' way: a measurement every 5 min on the last 5 min; more than three failed ones in all abort."""
    bad = _violations(totals, every)[every - 1 :: every]
    index = _first(np.cumsum(bad) > tolerated)
    return -1 if index < 0 else (index + 1) * every - 1


def failed_checks(totals: Totals, checks: int = 5) -> int:
    """Flagger's way: a check every minute on the last minute; five failed ones in all roll back."""
    bad = _violations(totals, 2)[1::2] | (_trailing(totals.operations, 2)[1::2] == 0)
    index = _first(np.cumsum(bad) >= checks)
    return -1 if index < 0 else index * 2 + 1


def consecutive_checks(totals: Totals, checks: int = 5) -> int:
    """Five failed one-minute checks one after another."""
    bad = _violations(totals, 2)[1::2]
    index = _first(_trailing(bad.astype(int), checks) >= checks)
    return -1 if index < 0 else index * 2 + 1


def mann_whitney(
    canary: np.ndarray,
    control: np.ndarray,
    tolerance: float = 0.25,
    confidence: float = 0.98,
    direction: str = "either",
) -> str:
    """Kayenta's classification of a metric: ``High`` where the confidence interval of the shift lies above a part
    (``tolerance``) of its estimate, ``Low`` where it lies below, else ``Pass``; ``Nodata`` without any. ``direction`` (``increase``,
    ``decrease`` or ``either``) says which of the two matters.

    The interval is that of the rank-sum test in the normal approximation with ties and continuity correction.
    """
    canary, control = canary[np.isfinite(canary)], control[np.isfinite(control)]
    if not canary.size or not control.size:
        return "Nodata"
    if canary.size < 5 or control.size < 5 or np.array_equal(canary, control):
        return "Pass"
    values = np.concatenate([canary, control])
    if values.min() == values.max():
        return "Pass"
    m, n = canary.size, control.size
    _, ties = np.unique(values, return_counts=True)
    sigma = math.sqrt(m * n / 12 * (m + n + 1 - (ties**3 - ties).sum() / ((m + n) * (m + n - 1))))
    shifts = np.sort((canary[:, None] - control[None, :]).ravel())
    reach = NORMAL.inv_cdf((1 + confidence) / 2) * sigma
    place = math.floor(m * n / 2 - reach - 0.5)
    estimate = float(np.median(shifts))
    lower, upper = (shifts[place], shifts[-1 - place]) if place >= 0 else (-math.inf, math.inf)
    if direction != "decrease" and lower > tolerance * abs(estimate):
        return "High"
    return "Low" if direction != "increase" and upper < -tolerance * abs(estimate) else "Pass"


def kayenta(totals: Totals) -> int:
    """A Mann-Whitney judgement of the last hour's minutes, every hour, on error rate and p95."""
    own, other = totals.trial.own, totals.trial.other
    for end in range(60, totals.operations.size // 2 + 1, 60):
        hour = slice(end - 60, end)
        pairs = (own.minute_errors, other.minute_errors), (own.minute_p95, other.minute_p95)
        if any(mann_whitney(canary[hour], control[hour]) == "High" for canary, control in pairs):
            return end * 2 - 1
    return -1


def z_test(totals: Totals) -> int:
    """A two-proportion z-test on all data so far, at each look."""
    n, m = np.cumsum(totals.operations), np.cumsum(totals.control_operations)
    bad = np.zeros(n.size, np.bool_)
    for own, other in totals.pairs:
        x, y = np.cumsum(own), np.cumsum(other)
        pooled = (x + y) / np.maximum(n + m, 1)
        error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)))
        z = (x / np.maximum(n, 1) - y / np.maximum(m, 1)) / error
        bad |= (z > NORMAL.inv_cdf(1 - ALPHA)) & (n >= 100) & (x + y >= 5)
    return _first(bad)


def msprt(totals: Totals) -> int:
    """A mixture sequential probability ratio test with single operations as units."""
    alpha = 2 * ALPHA
    n, m = np.maximum(np.cumsum(totals.operations), 1), np.maximum(np.cumsum(totals.control_operations), 1)
    bad = np.zeros(n.size, np.bool_)
    for own, other in totals.pairs:
        x, y = np.cumsum(own), np.cumsum(other)
        p, q = x / n, y / m
        unit = p * (1 - p) + q * (1 - q)
        variance = np.maximum(p * (1 - p) / n + q * (1 - q) / m, 1e-15)
        mixing = np.maximum(NORMAL.inv_cdf(1 - alpha / 2) ** 2 * unit / (n + m), 1e-15)
        spread = (variance + mixing) / mixing * (-2 * math.log(alpha / 2) - np.log(variance / (variance + mixing)))
        bad |= (p - q > np.sqrt(spread * variance)) & (n >= 100) & (x >= 5)
    return _first(bad)


def anytime_operations(totals: Totals) -> int:
    """An e-process on which group the next error (or slow operation) is in, operations taken as independent."""
    ratios = np.array([1.25, 1.5, 2.0, 3.0, 6.0, 12.0])
    n, m = np.maximum(totals.operations, 1e-9)[:, None], np.maximum(totals.control_operations, 1e-9)[:, None]
    null, bet = n / (n + m), ratios * n / (ratios * n + m)
    looks = totals.operations.size
    starts = np.arange(60, looks, 60)
    part = 0.5 / starts.size
    bad = np.zeros(looks, np.bool_)
    for own, other in totals.pairs:
        path = np.cumsum(own[:, None] * np.log(bet / null) + other[:, None] * np.log((1 - bet) / (1 - null)), axis=0)
        weights = np.full(looks, -np.inf)
        weights[0] = math.log(0.5)
        weights[starts] = math.log(part)
        before = np.vstack([np.zeros((1, ratios.size)), path[:-1]])
        wealth = np.logaddexp.reduce(path + np.logaddexp.accumulate(weights[:, None] - before, axis=0), axis=1)
        bad |= wealth - math.log(ratios.size) >= -math.log(ALPHA)
    return _first(bad)


def tenant_sequence(totals: Totals, every: int = 20) -> int:
    """An asymptotic confidence sequence on the difference of rates, with tenants as units."""
    trial, alpha = totals.trial, 2 * ALPHA
    doubled = -2 * math.log(alpha)
    tuning = doubled + math.log(doubled + 1)
    factor = math.sqrt(2 * (tuning + 1) / tuning * math.log(math.sqrt(tuning + 1) / alpha))
    operations = np.cumsum(trial.operations, axis=0)[every - 1 :: every].astype(float)
    bad = np.zeros(operations.shape[0], np.bool_)
    for events in (trial.errors, trial.slow):
        seen = np.cumsum(events, axis=0)[every - 1 :: every].astype(float)
        rates, variances = [], []
        for group in (trial.canary, ~trial.canary):
            total = np.maximum(operations[:, group].sum(1), 1)
            rate = seen[:, group].sum(1) / total
            residual = seen[:, group] - rate[:, None] * operations[:, group]
            rates.append(rate)
            variances.append((residual**2).sum(1) / total**2 * group.sum() / max(group.sum() - 1, 1))
        enough = seen[:, trial.canary].sum(1) >= 5
        bad |= (rates[0] - rates[1] > factor * np.sqrt(variances[0] + variances[1])) & enough
    index = _first(bad)
    return -1 if index < 0 else (index + 1) * every - 1


RULES: dict[str, Callable[[Totals], int]] = {
    "plain thresholds, 30 s": thresholds(1),
    "plain thresholds, 5 min": thresholds(10),
    "evidence: threshold, 30 min": own_thresholds,
    "four failed 5 min measurements (Argo-like)": failed_measurements,
    "five failed checks in all (Flagger-like)": failed_checks,
    "five failed checks in a row": consecutive_checks,
    "Mann-Whitney, hourly (Kayenta-like)": kayenta,
    "two-proportion z-test at each look": z_test,
    "mSPRT on operations": msprt,
    "anytime-valid, operations independent": anytime_operations,
    "tenant-level confidence sequence": tenant_sequence,
}
