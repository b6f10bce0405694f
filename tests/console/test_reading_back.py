"""Lost answers: what became of an action is read from what the server has kept, whatever its kind."""

from __future__ import annotations

from typing import Any

import pytest

from flagconsole.console.actions import Action, Asked, Kind, Stage
from flagconsole.console.performer import Performer
from flagconsole.console.reading_back import read_back
from flagconsole.domain import requests as ask
from flagconsole.domain import rollout_requests as ask_rollout
from flagconsole.domain.change import Action as Entry
from flagconsole.domain.errors import OutcomeUnknown
from flagconsole.domain.states import FlagState

from .conftest import EPOCH, NOW, FakeClock

NAME = "pos.loyalty_points"


def action(kind: Kind, base: int, reason: str = "because", **asked: Any) -> Action:
    return Action(
        "k",
        kind,
        NAME,
        "production",
        reason,
        2,
        "canary 10 %",
        NOW.timestamp(),
        asked=Asked(**asked),
        base_revision=base,
    )


@pytest.mark.parametrize(
    ("kind", "asked", "entry", "tenant"),
    [
        (Kind.KILL, {}, Entry.KILLED, None),
        (Kind.SET, {"state": "off"}, Entry.SET, None),
        (Kind.PROMOTE, {}, Entry.SET, None),
        (Kind.PLAYBOOK, {"playbook": "immediate"}, Entry.ROLLED_BACK, None),
        (Kind.OVERRIDE, {"state": "off", "tenant_id": "t1"}, Entry.OVERRIDE_SET, "t1"),
    ],
)
async def test_what_is_in_the_log_was_done(
    server: Any, kind: Kind, asked: dict[str, Any], entry: Entry, tenant: str | None
) -> None:
    base = server.revision
    server.change(NAME, "off", action=entry, reason="because", who="ops1", tenant_id=tenant)
    found = await read_back(server, action(kind, base, **asked), EPOCH, 10.0)
    assert found.stage is Stage.ACCEPTED
    assert found.revision == base + 1


@pytest.mark.parametrize("kind", [Kind.KILL, Kind.SET, Kind.PROMOTE, Kind.PLAYBOOK, Kind.START, Kind.HOLD, Kind.ABORT])
async def test_what_is_nowhere_was_not_done(server: Any, kind: Kind) -> None:
    server.rollout_of(NAME)
    server.steps[NAME] = []
    found = await read_back(server, action(kind, server.revision), EPOCH, 10.0)
    assert found.stage is Stage.REJECTED
    assert "never took effect" in found.message


async def test_a_promotion_past_the_verdict_is_known_by_how_its_reason_begins(server: Any) -> None:
    base = server.revision
    server.change(NAME, "canary", percentage=50, reason="because (past the verdict: no data)", who="ops1")
    assert (await read_back(server, action(Kind.PROMOTE, base), EPOCH, 10.0)).stage is Stage.ACCEPTED
    assert (await read_back(server, action(Kind.SET, base), EPOCH, 10.0)).stage is Stage.REJECTED


async def test_somebody_elses_override_is_not_ours(server: Any) -> None:
    base = server.revision
    server.change(NAME, "off", action=Entry.OVERRIDE_SET, reason="because", tenant_id="t2")
    ours = action(Kind.OVERRIDE, base, state="off", tenant_id="t1")
    assert (await read_back(server, ours, EPOCH, 10.0)).stage is Stage.REJECTED


async def test_a_hold_is_known_by_its_step(server: Any) -> None:
    server.rollout_of(NAME)
    await server.hold(NAME, ask_rollout.Hold(hold_reason="because"))
    found = await read_back(server, action(Kind.HOLD, server.revision), EPOCH, 10.0)
    assert found.stage is Stage.ACCEPTED
    assert found.after == "running, progression paused"


async def test_a_store_of_another_past_says_nothing(server: Any) -> None:
    found = await read_back(server, action(Kind.SET, 0), "another", 10.0)
    assert found.stage is Stage.UNKNOWN


async def test_a_lost_answer_of_a_promotion_is_asked_for_with_the_same_key(server: Any) -> None:
    server.rollout_of(NAME)
    server.look(NAME, server.verdict(NAME), silent=True)
    server.failures.append(OutcomeUnknown(problem="connection reset", key="k"))
    seen: list[Action] = []
    performer = Performer(
        server, None, FakeClock(), "http://x", lambda: (EPOCH, server.revision), seen.append, ask_every=0.0
    )
    done = await performer.perform(action(Kind.PROMOTE, -1))
    assert done.stage is Stage.ACCEPTED
    assert [request[3] for request in server.requests] == ["k", "k"]
    assert server.flags_by_name[NAME].canary_percentage == 50


async def test_a_set_without_an_answer_sends_the_state_and_version(server: Any) -> None:
    performer = Performer(server, None, FakeClock(), "http://x", lambda: (EPOCH, server.revision), lambda _: None)
    done = await performer.perform(action(Kind.SET, -1, state="canary", percentage=25))
    assert done.after == "canary 25 %"
    (request,) = server.requests
    assert request[2] == ask.FlagUpdate(change_reason="because", current_state=FlagState.CANARY, canary_percentage=25)
