"""Answers are kept until the next revision, as long as they hold, and within bounds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from flagconsole.domain.evaluation import OverrideRule, Rule, Ruleset
from flagconsole.domain.role import Actor, Role
from flagconsole.domain.states import FlagState
from flagconsole.server import evaluations
from flagconsole.server.evaluations import Evaluations
from flagconsole.server.known_keys import KnownKey

BODY = b'{"context":{"targetingKey":"t-1"}}'


def ruleset(revision: int, state: FlagState, expires_at: float | None = None) -> Ruleset:
    rule = Rule("a.b", state, 0, frozenset(), (), revision)
    overrides = {} if expires_at is None else {"a.b": {"t-1": OverrideRule(FlagState.ON, expires_at)}}
    return Ruleset("e", revision, {"a.b": rule}, overrides)


def key(name: str, tenant: str | None = None) -> KnownKey:
    actor = Actor(name=name, role=Role.SDK, key_id=name, tenant_id=tenant)
    return KnownKey(actor, name, 1, datetime.now(UTC), 0.0, 1.0)


@pytest.fixture
def follower() -> Any:
    return SimpleNamespace(projection=SimpleNamespace(ruleset=ruleset(1, FlagState.OFF)))


def state_of(made: Evaluations, who: KnownKey, now: float, flag: str = "a.b") -> str:
    answer = made.answered(who, flag, BODY, now)
    assert answer is not None
    found = json.loads(answer.whole.body)
    return str(found["variant"] if flag else found["flags"][0]["variant"])


@pytest.mark.parametrize("flag", ["a.b", ""])
def test_an_answer_is_kept_until_something_changes(follower, flag):
    made, who = Evaluations(follower), key("k")
    assert state_of(made, who, 1.0, flag) == "off"
    assert made.answered(who, flag, BODY, 2.0) is made.answered(who, flag, BODY, 3.0)
    follower.projection.ruleset = ruleset(2, FlagState.KILL)
    assert state_of(made, who, 4.0, flag) == "kill"


@pytest.mark.parametrize("flag", ["a.b", ""])
def test_an_override_that_is_over_is_in_no_answer(follower, flag):
    follower.projection.ruleset = ruleset(1, FlagState.OFF, expires_at=100.0)
    made, who = Evaluations(follower), key("k")
    assert [state_of(made, who, now, flag) for now in (1.0, 99.9, 100.0, 101.0)] == ["on", "on", "off", "off"]


def test_each_key_has_its_own_answers(follower):
    made = Evaluations(follower)
    assert made.answered(key("k"), "", BODY, 1.0) is not None
    with pytest.raises(Exception, match="tenant"):
        made.answered(key("other", tenant="t-2"), "", BODY, 1.0)


def test_many_questions_take_bounded_memory(follower, monkeypatch):
    monkeypatch.setattr(evaluations, "MOST_BYTES", 10_000)
    made, who = Evaluations(follower), key("k")
    for number in range(1_000):
        answer = made.answered(who, "a.b", b'{"context":{"targetingKey":"t-%d"}}' % number, 1.0)
        assert answer is not None
        assert len(made._made) < 20
