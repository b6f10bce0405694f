"""What counts as a scenario that went as it should."""

from __future__ import annotations

import pytest

from flagconsole.demo.run import exit_code_of
from flagconsole.demo.scenario import STORIES, Scenario
from flagconsole.demo.trial import misbehaved

STOPPED = {
    "audit_verified": True,
    "verdict": "fail",
    "verdict_failed_at_s": 40.0,
    "rolled_back": True,
    "restoration_s": 40.0,
    "receipts_ms": {str(number): 1.0 for number in range(12)},
    "operations_after_last_receipt": 0,
    "phase": "canary 10",
    "because": "",
}
LEFT_ALONE = STOPPED | {
    "verdict": "inconclusive",
    "verdict_failed_at_s": None,
    "rolled_back": False,
    "restoration_s": None,
    "receipts_ms": {},
    "operations_after_last_receipt": None,
    "playbook": None,
}


@pytest.mark.parametrize("scenario", [scenario for scenario in Scenario if STORIES[scenario].playbook])
def test_a_bad_canary_has_to_be_stopped_by_its_playbook_everywhere(scenario):
    good = STOPPED | {"scenario": scenario.value, "playbook": STORIES[scenario].playbook}
    assert misbehaved(good) == []
    assert exit_code_of(good) == 0
    for wrong in (
        {"playbook": "other"},
        {"restoration_s": None},
        {"receipts_ms": {"1": 1.0}},
        {"operations_after_last_receipt": 3},
        {"operations_after_last_receipt": None},
        {"audit_verified": False},
        {"verdict_failed_at_s": None},
    ):
        assert misbehaved(good | wrong), wrong
        assert exit_code_of(good | wrong) == 8
    assert misbehaved(LEFT_ALONE | {"scenario": scenario.value})


@pytest.mark.parametrize("scenario", [scenario for scenario in Scenario if not STORIES[scenario].playbook])
def test_a_canary_that_is_not_at_fault_has_to_be_left_alone(scenario):
    good = LEFT_ALONE | {"scenario": scenario.value, "verdict": "no_data"}
    assert misbehaved(good) == []
    assert misbehaved(STOPPED | {"scenario": scenario.value, "playbook": "immediate"})
    assert misbehaved(good | {"rolled_back": True})


def test_without_data_nothing_is_promoted():
    good = LEFT_ALONE | {"scenario": "no-data", "verdict": "no_data"}
    assert misbehaved(good | {"phase": "canary 50"})
    assert misbehaved(good | {"verdict": "pass"})
    assert misbehaved(LEFT_ALONE | {"scenario": "healthy", "phase": "canary 50"}) == []
