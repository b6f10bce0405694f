"""Faults strike where the new code runs, from their moment on, and do to an operation what they are named after."""

from __future__ import annotations

import random

import pytest

from flagconsole.demo.fault import ERROR_SHARE, Fault, FaultKind
from flagconsole.demo.scenario import BUCKET_SECONDS, INCIDENT_SECONDS, JUDGED_FLAG, STORIES, Scenario, fault_of
from flagconsole.demo.workload import Outcome

OWN = [FaultKind.ERRORS, FaultKind.LATENCY, FaultKind.CRITICALS, FaultKind.TICKETS]
FINE = Outcome(True, 0.2, None, True, ticket_chance=0.01)


def worsened(kind, operations=4000):
    fault, chance = Fault(kind, JUDGED_FLAG, 100.0), random.Random(1)
    return [fault.worsened(chance, FINE) for _ in range(operations)]


@pytest.mark.parametrize("kind", OWN)
def test_a_fault_of_the_new_code_spares_everybody_who_does_not_run_it(kind):
    fault = Fault(kind, JUDGED_FLAG, 100.0)
    assert fault.strikes(JUDGED_FLAG, True, 100.0)
    assert not fault.strikes(JUDGED_FLAG, True, 99.9)
    assert not fault.strikes(JUDGED_FLAG, False, 100.0)
    assert not fault.strikes("invoices.write", True, 100.0)


def test_an_incident_spares_nobody_and_ends():
    fault = Fault(FaultKind.INCIDENT, JUDGED_FLAG, 100.0, 145.0)
    assert fault.strikes("invoices.write", False, 100.0)
    assert not fault.strikes(JUDGED_FLAG, True, 145.0)


def test_errors_fail_some_operations_and_leave_the_rest_alone():
    outcomes = worsened(FaultKind.ERRORS)
    failed = [outcome for outcome in outcomes if not outcome.ok]
    assert len(failed) / len(outcomes) == pytest.approx(ERROR_SHARE, rel=0.15)
    assert not any(outcome.conversion for outcome in failed)
    assert {outcome for outcome in outcomes if outcome.ok} == {FINE}


def test_the_other_faults_do_what_their_names_say():
    assert all(outcome.seconds > 1.5 * FINE.seconds and outcome.ok for outcome in worsened(FaultKind.LATENCY))
    critical = [outcome for outcome in worsened(FaultKind.CRITICALS) if outcome.critical]
    assert critical
    assert not any(outcome.ok for outcome in critical)
    assert {outcome.ok for outcome in worsened(FaultKind.TICKETS)} == {True}
    assert all(outcome.ticket_chance >= 10 * FINE.ticket_chance for outcome in worsened(FaultKind.TICKETS))


def test_a_fault_travels_to_the_services_unchanged():
    fault = Fault(FaultKind.INCIDENT, JUDGED_FLAG, 100.0, 145.0)
    assert Fault.from_json(fault.to_json()) == fault


@pytest.mark.parametrize("scenario", [scenario for scenario in Scenario if STORIES[scenario].fault is not None])
def test_a_scenarios_fault_begins_with_a_bucket_that_has_not_begun(scenario):
    fault = fault_of(scenario, 1000.3)
    assert fault.since % BUCKET_SECONDS == 0
    assert 1001.3 <= fault.since <= 1001.3 + BUCKET_SECONDS
    assert fault.flag_name == JUDGED_FLAG
    assert (fault.until is None) == (scenario is not Scenario.INCIDENT_FOR_ALL)
    assert fault.until in {None, fault.since + INCIDENT_SECONDS}


def test_nothing_goes_wrong_where_all_is_healthy():
    assert fault_of(Scenario.HEALTHY, 1000.0) is None
