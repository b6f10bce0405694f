"""The guards, one by one: what fires them, and what must not."""

from __future__ import annotations

import math

import numpy as np

from flagconsole.domain.judge import JudgeSettings
from flagconsole.domain.judge.broken_tenant import BrokenTenantGuard
from flagconsole.domain.judge.critical_guard import CriticalGuard
from flagconsole.domain.judge.e_process import EProcess
from flagconsole.domain.judge.gross_guard import GrossGuard
from flagconsole.domain.judge.limit_guard import LimitGuard

CANARY = np.arange(100) < 20


def run_limit(rates: np.ndarray, looks: int = 240, control: float = 0.003, tenants: int = 20) -> float | None:
    guard = LimitGuard(0.02, tenants, 0.0005, 48 * 3600, 1800)
    rng = np.random.default_rng(1)
    for look in range(1, looks + 1):
        operations = np.full(tenants, 5.0)
        events = rng.binomial(5, rates).astype(float)
        guard.advance(look * 30.0, operations, events, (1000.0, 1000.0 * float(rates.mean())), control)
    return guard.fired_at


def test_the_limit_guard_fires_when_the_whole_cohort_is_above() -> None:
    at = run_limit(np.full(20, 0.06))
    assert at is not None
    assert at < 1200


def test_the_limit_guard_leaves_a_cohort_alone_that_is_below() -> None:
    assert run_limit(np.full(20, 0.018), looks=2000) is None


def test_one_tenant_alone_can_never_fire_the_limit_guard() -> None:
    rates = np.full(20, 0.003)
    rates[7] = 1.0
    assert rates.mean() > 0.02
    assert run_limit(rates, looks=2000) is None


def test_the_limit_guard_waits_while_control_is_as_bad() -> None:
    assert run_limit(np.full(20, 0.06), control=0.05) is None
    assert run_limit(np.full(20, 0.06), control=math.nan) is not None


def test_the_limit_guard_does_not_take_chance_after_an_incident_of_everybody_for_the_canary() -> None:
    """In a phase of minutes half an hour shrinks to half a minute: a handful of errors, twice the control's by chance."""
    guard = LimitGuard(0.02, 20, 0.0005, 300, 37)
    for look in range(1, 6):  # everybody fails alike, so the evidence against the limit is overwhelming
        guard.advance(look * 10.0, np.full(20, 5.0), np.full(20, 0.6), (300.0, 36.0), 0.12)
    for look in range(6, 10):  # and it is over
        guard.advance(look * 10.0, np.full(20, 5.0), np.zeros(20), (200.0, 3.0), 0.003)
    assert guard.nearness == 1.0
    assert guard.fired_at is None
    guard.advance(100.0, np.full(20, 5.0), np.full(20, 1.0), (200.0, 30.0), 0.003)
    assert guard.fired_at == 100.0


def test_a_cohort_of_one_tenant_can_still_be_found() -> None:
    assert run_limit(np.full(1, 0.3), tenants=1) is not None


def test_wealth_that_waits_for_later_starts_finds_a_late_fault_sooner() -> None:
    def looks_to_find(horizon: float, quiet: int) -> int:
        process = EProcess(1, 1, horizon, 1800)
        for look in range(1, quiet + 1):
            process.advance(look * 30.0, np.array([[-0.05]]))
        for extra in range(1, 2000):
            if process.advance((quiet + extra) * 30.0, np.array([[0.5]]))[0] > math.log(1000):
                return extra
        return 2000

    assert looks_to_find(48 * 3600, 2880) < 60


def test_the_e_process_stays_below_its_bound_under_the_null() -> None:
    rng = np.random.default_rng(3)
    crossed = 0
    for _ in range(400):
        process, highest = EProcess(1, 1, 7200, 1800), 0.0
        for look in range(1, 200):
            event = rng.random() < 0.02
            ratio = math.log(0.05 / 0.02) if event else math.log(0.95 / 0.98)
            highest = max(highest, float(process.advance(look * 30.0, np.array([[ratio]]))[0]))
        crossed += highest >= math.log(10)
    assert crossed <= 400 * 0.1 + 20


def run_gross(canary_errors: np.ndarray, looks: int = 20) -> float | None:
    guard = GrossGuard(CANARY, np.full(100, 0.003), JudgeSettings())
    rng = np.random.default_rng(4)
    for look in range(1, looks + 1):
        operations = np.full(100, 3.0)
        rates = np.full(100, 0.003)
        rates[CANARY] = canary_errors
        guard.advance(look * 30.0, operations, rng.binomial(3, rates).astype(float))
    return guard.fired_at


def test_a_gross_failure_is_found_within_two_minutes() -> None:
    at = run_gross(np.full(20, 0.5))
    assert at is not None
    assert at <= 120


def test_a_burst_inside_one_tenant_is_one_event_for_the_fast_path() -> None:
    rates = np.full(20, 0.003)
    rates[3] = 1.0
    assert run_gross(rates, looks=200) is None


def test_criticals_that_meet_the_cohort_first_fire_and_equal_ones_do_not() -> None:
    guard = CriticalGuard(CANARY, np.ones(100, np.bool_), 0.0005)
    seen = np.zeros(100)
    for number in range(6):
        seen[number] = 1
        guard.advance(60.0 * number, seen)
        guard.advance(60.0 * number, seen)
    assert guard.fired_at is not None
    fair = CriticalGuard(CANARY, np.ones(100, np.bool_), 0.0005)
    seen = np.zeros(100)
    for number in (0, 30, 40, 50, 60, 1, 70, 80, 90):
        seen[number] += 3
        fair.advance(60.0, seen)
    assert fair.fired_at is None


def test_one_tenants_critical_errors_count_once() -> None:
    guard = CriticalGuard(CANARY, np.ones(100, np.bool_), 0.0005)
    seen = np.zeros(100)
    for look in range(50):
        seen[3] += 1
        guard.advance(30.0 * look, seen)
    assert guard.fired_at is None


def test_one_broken_tenant_is_found_unless_others_break_as_well() -> None:
    operations, errors = np.full(100, 40.0), np.zeros(100)
    errors[5] = 20
    alone = BrokenTenantGuard(CANARY, 0, 600)
    alone.advance(1800.0, operations, errors)
    assert alone.fired_at is None
    alone.advance(2400.0, operations, errors)
    assert (alone.fired_at, alone.tenant) == (2400.0, 5)
    before = BrokenTenantGuard(CANARY, 1, 600)
    before.advance(1800.0, operations, errors)
    before.advance(2400.0, operations, errors)
    assert before.fired_at is None
    errors[50] = 9
    beside = BrokenTenantGuard(CANARY, 0, 600)
    beside.advance(1800.0, operations, errors)
    errors[50] = 0
    beside.advance(2400.0, operations, errors)
    assert beside.fired_at is None


def test_a_tenant_that_recovers_within_ten_minutes_is_not_broken() -> None:
    operations, errors = np.full(100, 40.0), np.zeros(100)
    guard = BrokenTenantGuard(CANARY, 0, 600)
    for seconds, failed in ((1800.0, 20.0), (2100.0, 0.0), (2400.0, 20.0), (2700.0, 20.0)):
        errors[5] = failed
        guard.advance(seconds, operations, errors)
    assert guard.fired_at is None


def test_few_errors_of_a_small_tenant_are_no_broken_tenant() -> None:
    operations, errors = np.full(100, 9.0), np.zeros(100)
    errors[5] = 9
    guard = BrokenTenantGuard(CANARY, 0, 600)
    guard.advance(1800.0, operations, errors)
    guard.advance(2400.0, operations, errors)
    assert guard.fired_at is None
