"""Which flags need attention, and which the most."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from flagconsole.console import state as model
from flagconsole.console import view, watched
from flagconsole.console.actions import PARTIAL_AFTER
from flagconsole.console.attention import ARRIVING_RANK, KILLED_RANK, SETTLED, UNDER_WAY_RANK, Attention, problem_of
from flagconsole.console.incidents import incident_row
from flagconsole.console.rollouts import VerdictRow
from flagconsole.console.state import ConsoleState, Order
from flagconsole.domain.verdict import VerdictKind

NAME = "pos.loyalty_points"


@pytest.fixture
async def fleet(server: Any) -> ConsoleState:
    listing = await server.flags()
    now = listing.now.timestamp()
    state = model.with_listing(ConsoleState(), listing.model_dump(mode="json"), now).state
    instances = await server.instances()
    state = model.with_instances(state, (item.model_dump(mode="json") for item in instances.instances))
    return model.with_history(state, [item.model_dump(mode="json") for item in reversed(server.changes)])


def now_of(server: Any) -> float:
    return float(server._now.timestamp())


def with_verdict(server: Any, state: ConsoleState, kind: VerdictKind, *, ago: float = 4.0) -> ConsoleState:
    server.rollout_of(NAME)
    server.look(NAME, server.verdict(NAME, kind, ago=ago), silent=True)
    return watched.with_rollouts(state, [server.rollouts_by_flag[NAME].model_dump(mode="json")])


def word(server: Any, state: ConsoleState, *, later: float = 0.0) -> str | None:
    problem = problem_of(state, state.flags[NAME], now_of(server) + later)
    return None if problem is None else problem.word


async def test_calm_fleet_needs_nothing(server: Any, fleet: ConsoleState) -> None:
    assert Attention().look(fleet, fleet.flags, now_of(server))[0].problems == {}


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (VerdictKind.PASS, None),
        (VerdictKind.INCONCLUSIVE, None),
        (VerdictKind.NO_DATA, "NO DATA"),
        (VerdictKind.FAIL, "FAIL"),
    ],
)
async def test_verdicts(server: Any, fleet: ConsoleState, kind: VerdictKind, wanted: str | None) -> None:
    assert word(server, with_verdict(server, fleet, kind)) == wanted


async def test_a_judge_that_stopped_looking_is_no_pass(server: Any, fleet: ConsoleState) -> None:
    state = with_verdict(server, fleet, VerdictKind.PASS)
    assert word(server, state, later=60) is None
    assert word(server, state, later=120) == "OVERDUE"


async def test_an_ended_rollout_asks_for_nothing(server: Any, fleet: ConsoleState) -> None:
    state = with_verdict(server, fleet, VerdictKind.FAIL)
    row = state.rollouts[NAME]
    assert isinstance(row.verdict, VerdictRow)
    state = replace(state, rollouts={NAME: row._replace(status="rolled_back")})
    assert word(server, state) is None


async def test_a_kill_that_is_not_everywhere_names_who_is_behind(server: Any, fleet: ConsoleState) -> None:
    change = server.change(NAME, "kill", action="killed", silent=True)
    listing = await server.flags()
    state = model.with_listing(fleet, listing.model_dump(mode="json"), now_of(server)).state
    state = model.with_history(state, [change.model_dump(mode="json")])
    attention = Attention()
    at_once = attention.look(state, {NAME}, now_of(server))[0]
    assert at_once.problems[NAME][:3] == (ARRIVING_RANK, "!", "KILL 0/12"), "it may have stopped nothing yet"
    assert at_once.problems[NAME].why.startswith("PROPAGATING 0/12: kill not confirmed by ")
    late = attention.look(at_once, (), now_of(server) + PARTIAL_AFTER)[0]
    assert late.problems[NAME].why.startswith("PARTIAL 0/12: kill not confirmed by ")
    rows = {name: row._replace(revision=change.change_id) for name, row in late.instances.items()}
    confirmed = attention.look(replace(late, instances=rows), (), now_of(server) + 12)[0]
    assert confirmed.problems[NAME].word == "KILLED"


async def test_changes_of_the_problems_are_told(server: Any, fleet: ConsoleState) -> None:
    attention = Attention()
    state, moved = attention.look(with_verdict(server, fleet, VerdictKind.FAIL), {NAME}, now_of(server))
    assert moved == {NAME}
    again, moved = attention.look(state, (), now_of(server))
    assert (again, moved) == (state, frozenset())
    _, moved = attention.look(with_verdict(server, state, VerdictKind.PASS), {NAME}, now_of(server))
    assert moved == {NAME}


async def test_a_kill_of_long_ago_comes_behind_a_rollout_under_way(server: Any, fleet: ConsoleState) -> None:
    server.change(NAME, "kill", action="killed", silent=True)
    state = model.with_listing(fleet, (await server.flags()).model_dump(mode="json"), now_of(server)).state
    state, now = replace(state, instances={}), now_of(server)
    fresh, later = problem_of(state, state.flags[NAME], now), problem_of(state, state.flags[NAME], now + SETTLED + 60)
    assert fresh is not None
    assert later is not None
    assert fresh.rank == KILLED_RANK < UNDER_WAY_RANK < later.rank
    server.rollout_of("pos.lite")
    state = watched.with_rollouts(state, [server.rollouts_by_flag["pos.lite"].model_dump(mode="json")])
    old = replace(state, order=Order.URGENCY, problems={NAME: later})
    assert view.visible(old)[:2] == ("pos.lite", NAME)


def waiting(server: Any, state: ConsoleState, value: float) -> ConsoleState:
    """The judge waits, and the canary's error rate is ``value``."""
    state = with_verdict(server, state, VerdictKind.INCONCLUSIVE)
    row = state.rollouts[NAME]
    assert row.verdict is not None
    criteria = tuple(
        item._replace(value=value) if (item.purpose, item.metric) == ("rollback", "error_rate") else item
        for item in row.verdict.criteria
    )
    return replace(state, rollouts={NAME: row._replace(verdict=row.verdict._replace(criteria=criteria))})


@pytest.mark.parametrize(("value", "wanted"), [(0.009, None), (0.0192, "near"), (0.03, "beyond")])
async def test_a_rollout_that_gets_worse_comes_before_a_kill_of_hours_ago(
    server: Any, fleet: ConsoleState, value: float, wanted: str | None
) -> None:
    server.change("pos.lite", "kill", action="killed", silent=True)
    state = model.with_listing(fleet, (await server.flags()).model_dump(mode="json"), now_of(server)).state
    state = waiting(server, replace(state, instances={}), value)
    now = now_of(server)
    row = state.rollouts[NAME]
    state = replace(
        state, rollouts={NAME: row._replace(verdict=row.verdict and row.verdict._replace(at=now + SETTLED))}
    )
    problem = problem_of(state, state.flags[NAME], now + SETTLED + 5)
    killed = problem_of(state, state.flags["pos.lite"], now + SETTLED + 5)
    assert killed is not None
    if wanted is None:
        assert problem is None
        return
    assert problem is not None
    assert (problem.word, problem.rank < KILLED_RANK < killed.rank) == ("WAIT", True)
    assert f"{wanted} its limit >2.00" in problem.why


async def test_the_first_looks_at_a_phase_alarm_nobody_unless_they_fail(server: Any, fleet: ConsoleState) -> None:
    for kind, wanted in ((VerdictKind.NO_DATA, None), (VerdictKind.FAIL, "FAIL")):
        state = with_verdict(server, fleet, kind)
        row = state.rollouts[NAME]._replace(phase_started_at=now_of(server) - 8)
        state = replace(state, rollouts={NAME: row})
        assert word(server, state) == wanted
        assert kind is VerdictKind.FAIL or word(server, state, later=85) == "NO DATA"


async def test_a_rollback_by_the_server_asks_for_somebody_until_its_incident_is_closed(
    server: Any, fleet: ConsoleState
) -> None:
    now = now_of(server)
    state = with_verdict(server, fleet, VerdictKind.FAIL)
    row = state.rollouts[NAME]._replace(status="rolled_back", ended_at=now - 40)
    incident = incident_row({
        "incident_id": "inc-2", "flag_name": NAME, "playbook": "immediate", "trigger": "error_rate: 4.21 % > 2 %",
        "started_at": "2026-11-23T03:00:00Z", "completed_at": "2026-11-23T03:00:05Z",
    })  # fmt: skip
    state = replace(state, rollouts={NAME: row}, incidents={"inc-2": incident})
    problem = problem_of(state, state.flags[NAME], now)
    assert problem is not None
    assert (problem.word, problem.rank < KILLED_RANK) == ("INCIDENT", True)
    assert problem.why == "rolled back 40s ago: error_rate: 4.21 % > 2 %; inc-2 is open (i)"
    verified = replace(state, rollouts={NAME: row._replace(ended_at=now - 20)})
    flag = state.flags[NAME]
    assert flag.last is not None
    since = replace(verified, flags={**state.flags, NAME: flag._replace(last=flag.last._replace(at=now - 35))})
    problem = problem_of(since, since.flags[NAME], now)
    assert problem is not None
    assert problem.why.startswith("rolled back 35s ago"), (
        "as the list and the history say, not when its playbook was through"
    )
    assert word(server, state, later=SETTLED) is None
    closed = replace(state, incidents={"inc-2": incident._replace(closed_at=now)})
    assert word(server, closed) is None
