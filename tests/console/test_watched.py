"""Rollouts, looks, incidents and measurements in the view model."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from flagconsole.console import watched, watched_incidents
from flagconsole.console.rollouts import rollout_row
from flagconsole.console.state import ConsoleState
from flagconsole.console.verdicts import FAIL, NO_DATA, failing_since
from flagconsole.domain.rollout import RolloutStatus
from flagconsole.domain.verdict import VerdictKind

from .conftest import NOW
from .fake_rollouts import FakeRollouts, calm, going_bad

NAME = "pos.loyalty_points"


@pytest.fixture
def fake() -> FakeRollouts:
    made = FakeRollouts(NOW)
    made.sent = []  # type: ignore[attr-defined]
    made.send = made.sent.append  # type: ignore[attr-defined]
    return made


def told(fake: FakeRollouts, state: ConsoleState) -> ConsoleState:
    """The state after everything that was sent."""
    for frame in fake.sent:  # type: ignore[attr-defined]
        match type(frame).__name__:
            case "RolloutFrame":
                state = watched.apply_rollout(state, frame.text).state
            case "VerdictFrame":
                state = watched.apply_verdict(state, frame.text)
            case _:
                state = watched_incidents.apply_incident(state, frame.text).state
    return state


def test_a_look_tells_what_fails_and_which_playbook_that_asks_for(fake: FakeRollouts) -> None:
    fake.rollout_of(NAME)
    fake.look(NAME, fake.verdict(NAME, VerdictKind.FAIL))
    row = told(fake, ConsoleState()).rollouts[NAME]
    assert row.judged is not None
    assert row.judged.kind == FAIL
    assert row.judged.failing is not None
    assert row.judged.failing.metric == "error_rate"
    assert row.judged.playbook == "immediate"
    assert (row.position, row.following.name if row.following else None) == (1, "canary 50")


def test_an_older_listing_does_not_replace_a_newer_event(fake: FakeRollouts) -> None:
    before = json.loads(fake.rollout_of(NAME).model_dump_json())
    fake.look(NAME, fake.verdict(NAME, VerdictKind.FAIL, ago=0.0))
    state = told(fake, ConsoleState())
    assert watched.with_rollouts(state, [before]).rollouts[NAME].judged is not None
    older = dict(before, looked_at=(NOW - timedelta(hours=1)).isoformat())
    assert watched.apply_rollout(state, json.dumps(older)).state is state


def test_an_ended_rollout_is_not_begun_again_by_a_late_event(fake: FakeRollouts) -> None:
    running = fake.rollout_of(NAME).model_dump_json()
    fake.tell_rollout(NAME, status=RolloutStatus.KILLED, ended_at=NOW)
    state = told(fake, ConsoleState())
    assert not watched.apply_rollout(state, running).state.rollouts[NAME].active


def test_a_closed_incident_is_not_opened_again(fake: FakeRollouts) -> None:
    opened = fake.incident_of(NAME).model_dump_json()
    fake.tell_incident("inc-1", closed_at=NOW, closed_by="maria")
    state = told(fake, ConsoleState())
    assert watched_incidents.apply_incident(state, opened).state is state


@pytest.mark.parametrize("text", ["", "[]", "null", '{"rollout_id": 1}', '{"verdict": 3}', "{", '{"incident_id": []}'])
def test_what_cannot_be_read_changes_nothing(text: str) -> None:
    state = ConsoleState()
    assert watched.apply_rollout(state, text).state is state
    assert watched.apply_verdict(state, text) is state
    assert watched_incidents.apply_incident(state, text).state is state


def test_what_is_strange_never_reads_as_a_pass(fake: FakeRollouts) -> None:
    data: dict[str, Any] = json.loads(fake.rollout_of(NAME).model_dump_json())
    data["verdict"] = {"flag_name": NAME, "phase": "canary 10", "kind": "PASS", "findings": [{"outcome": True}, 7]}
    row = rollout_row(data)
    assert row.judged is not None
    assert row.judged.kind == NO_DATA
    assert [item.outcome for item in row.judged.criteria] == [NO_DATA]


def test_since_when_a_metric_fails_counts_back_to_the_last_look_where_it_did_not(fake: FakeRollouts) -> None:
    fake.rollout_of(NAME)
    for ago, kind in ((120.0, "fail"), (90.0, "pass"), (60.0, "fail"), (30.0, "fail")):
        fake.look(NAME, fake.verdict(NAME, VerdictKind(kind), ago=ago))
    looks = told(fake, ConsoleState()).verdicts[NAME]
    assert failing_since(looks, "error_rate") == pytest.approx(NOW.timestamp() - 60)
    assert failing_since(looks, "csat") is None


async def test_a_window_keeps_gaps_and_says_how_old_it_is(fake: FakeRollouts) -> None:
    fake.moving[NAME] = going_bad
    answer = (await fake.metrics(NAME, 900)).model_dump(mode="json")
    window = watched.with_metrics(ConsoleState(), answer, 900).metrics[NAME]
    series = window.series("canary", "error_rate")
    assert len(series) == len(window.starts) == 60
    assert series.count(None) == 4
    assert window.series("shadow", "error_rate") == (None,) * 60
    assert window.age(NOW.timestamp() + 10) == pytest.approx(15)
    assert window.series("canary", "p95_regression") == window.series("canary", "latency_p95")


async def test_a_mean_is_taken_only_of_steps_that_lie_wholly_inside(fake: FakeRollouts) -> None:
    fake.moving[NAME] = calm
    window = watched.with_metrics(ConsoleState(), (await fake.metrics(NAME, 900)).model_dump(mode="json"), 900).metrics[
        NAME
    ]
    assert window.between("canary", "error_rate", window.starts[0] + 1, window.starts[1] + 1) is None
    first = window.series("canary", "error_rate")[0]
    assert window.between("canary", "error_rate", window.starts[0], window.starts[1]) == pytest.approx(first)


async def test_nothing_measured_is_unknown_and_not_zero(fake: FakeRollouts) -> None:
    window = watched.with_metrics(ConsoleState(), (await fake.metrics(NAME, 900)).model_dump(mode="json"), 900).metrics[
        NAME
    ]
    assert window.age(NOW.timestamp()) is None
    assert window.total("canary", "error_rate") is None
