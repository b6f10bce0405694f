"""The demo's operations: the same for the same seed, and as error-prone and slow as they should be."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from flagconsole.demo.workload import ERROR_RATE, MEDIAN_SECONDS, Outcome, Workload, asked, values_of

TENANTS = [f"tenant-{number:04d}" for number in range(500)]


def run(seed, operations=20_000):
    workload, chance = Workload(seed, TENANTS), random.Random(seed)
    for _ in range(operations):
        tenant = workload.next_tenant(chance)
        yield tenant, workload.outcome(chance, tenant)


def test_the_same_seed_is_the_same_story():
    assert list(run(7, 500)) == list(run(7, 500))
    assert list(run(7, 500)) != list(run(8, 500))


def test_operations_go_as_in_a_healthy_service():
    outcomes = list(run(7))
    errors = sum(not outcome.ok for _, outcome in outcomes) / len(outcomes)
    assert ERROR_RATE / 3 < errors < ERROR_RATE * 3
    seconds = sorted(outcome.seconds for _, outcome in outcomes)
    assert seconds[len(seconds) // 2] == pytest.approx(MEDIAN_SECONDS, rel=0.25)
    assert not any(outcome.conversion for _, outcome in outcomes if not outcome.ok)


def test_tenants_differ_in_how_busy_they_are():
    often = Counter(tenant for tenant, _ in run(7)).most_common()
    assert often[0][1] > 10 * often[len(often) // 2][1]


def test_people_are_asked_now_and_then_and_are_less_pleased_after_an_error():
    chance = random.Random(3)

    def satisfaction(ok):
        answers = [asked(chance, Outcome(ok, 0.2, None, False)).csat for _ in range(20_000)]
        given = [answer for answer in answers if answer is not None]
        assert 400 < len(given) < 1600
        return sum(given) / len(given)

    assert satisfaction(True) > 0.95
    assert satisfaction(False) < 0.75


def test_ai_pricing_measures_what_only_it_knows():
    chance = random.Random(3)
    assert values_of("invoices.write", True, chance) is None
    found = [values_of("estimates.ai_pricing", True, chance) for _ in range(2000)]
    assert sum(values["suggestion_accuracy"] for values in found) / len(found) > 0.88
    assert sum(values["pricing_variance"] for values in found) / len(found) < 0.13


def test_busy_tenants_write_more_tickets_but_not_in_proportion():
    workload, chance = Workload(7, TENANTS), random.Random(7)
    operations, tickets = Counter(), Counter()
    for _ in range(60_000):
        tenant = workload.next_tenant(chance)
        operations[tenant] += 1
        tickets[tenant] += asked(chance, workload.outcome(chance, tenant)).ticket
    busy = [tenant for tenant, _ in operations.most_common(50)]
    calm = [tenant for tenant, _ in operations.most_common()[-250:]]
    written = [sum(tickets[tenant] for tenant in some) / len(some) for some in (busy, calm)]
    done = [sum(operations[tenant] for tenant in some) / len(some) for some in (busy, calm)]
    assert 1.5 < written[0] / written[1] < 5
    assert done[0] / done[1] > 10
