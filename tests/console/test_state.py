"""The view model: what listings, events and receipts make of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flagconsole.console import state as model
from flagconsole.console.change_events import apply_events
from flagconsole.console.state import ConsoleState, Phase
from flagconsole.domain.evaluation import Reason
from flagconsole.domain.states import FlagState


def flag(name: str, state: str = "off", **more: Any) -> dict[str, Any]:
    return {
        "flag_name": name,
        "flag_type": "feature",
        "current_state": state,
        "canary_percentage": 0,
        "canary_tenant_ids": [],
        "dependencies": [],
        "version": 1,
        "updated_at": "2026-03-14T03:00:00Z",
        "updated_by": "ops1",
        **more,
    }


def listing(*flags: dict[str, Any], revision: int = 1, epoch: str = "e1", overrides: Any = ()) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "revision": revision,
        "now": "2026-03-14T03:07:31Z",
        "flags": list(flags),
        "overrides": list(overrides),
    }


def event(revision: int, after: dict[str, Any] | None, name: str = "a.one", **change: Any) -> str:
    override = change.pop("override", None)
    return json.dumps(
        {
            "epoch": change.pop("epoch", "e1"),
            "revision": revision,
            "flag": after,
            "override": override,
            "change": {
                "change_id": revision,
                "flag_name": name,
                "tenant_id": None,
                "action": "set",
                "change_type": "manual",
                "previous": {"current_state": "off", "canary_percentage": 0, "canary_tenant_ids": []},
                "new": {"current_state": "on", "canary_percentage": 0, "canary_tenant_ids": []},
                "change_reason": "go",
                "changed_by": "ci",
                "changed_at": "2026-03-14T03:07:00Z",
                "version": 2,
                **change,
            },
        }
    )


def instance(name: str, revision: int, **more: Any) -> dict[str, Any]:
    return {
        "instance_id": name,
        "service": "billing",
        "epoch": "e1",
        "revision": revision,
        "presence": "live",
        "last_seen": "2026-03-14T03:07:00Z",
        **more,
    }


@pytest.fixture
def loaded() -> ConsoleState:
    rows = [flag("a.one"), flag("b.two", "on", dependencies=["a.one"]), flag("c.three", "on")]
    return model.with_listing(ConsoleState(), listing(*rows), now=0.0).state


def test_listing_fills_table_and_rules_and_learns_the_servers_clock(loaded: ConsoleState) -> None:
    assert loaded.loaded
    assert (loaded.epoch, loaded.revision) == ("e1", 1)
    assert loaded.flags["c.three"].state is FlagState.ON
    assert loaded.ruleset.evaluate("b.two", "t", 0).reason is Reason.DEPENDENCY
    assert loaded.connection.skew == pytest.approx(1773457651.0)


def test_listing_names_only_flags_that_look_different(loaded: ConsoleState) -> None:
    after = listing(flag("a.one"), flag("b.two", "kill", dependencies=["a.one"]), flag("d.four"), revision=4)
    _, changed = model.with_listing(loaded, after, now=0.0)
    assert changed == {"b.two", "c.three", "d.four"}


def test_event_changes_flag_history_and_marks_dependents(loaded: ConsoleState) -> None:
    state, changed, _, complete = apply_events(loaded, [event(2, flag("a.one", "on", version=2))])
    assert complete
    assert state.revision == 2
    assert state.flags["a.one"].state is FlagState.ON
    last = state.flags["a.one"].last
    assert last is not None
    assert (last.who, last.reason, last.before, last.after) == ("ci", "go", "off", "on")
    assert state.history[0].change_id == 2
    assert changed == {"a.one", "b.two"}
    assert loaded.flags["a.one"].state is FlagState.OFF, "the old state must stay as it was"


def test_event_of_the_past_changes_nothing(loaded: ConsoleState) -> None:
    applied = apply_events(loaded, [event(1, flag("a.one", "on"))])
    assert applied.state is loaded
    assert applied.complete
    assert not applied.changed


@pytest.mark.parametrize(
    "text",
    [
        event(3, flag("a.one", "on")),
        event(2, flag("a.one", "on"), epoch="e2"),
        "not json",
        json.dumps({"epoch": "e1", "revision": 2}),
        json.dumps({"epoch": "e1", "revision": 2, "change": {"flag_name": "a.one"}, "flag": 7}),
    ],
    ids=["gap", "another epoch", "no json", "no change", "no flag"],
)
def test_what_does_not_follow_asks_for_the_listing(loaded: ConsoleState, text: str) -> None:
    applied = apply_events(loaded, [text])
    assert (applied.state, applied.complete) == (loaded, False)


def test_events_together_come_to_what_they_come_to_one_by_one(loaded: ConsoleState) -> None:
    override = {"flag_name": "a.one", "tenant_id": "t1", "override_state": "on", "override_reason": "beta"}
    bare = {key: value for key, value in flag("c.three", "canary", canary_percentage=10).items() if "_ids" not in key}
    texts = [
        event(2, flag("a.one", "on", canary_tenant_ids=["t1", "t2"])),
        event(3, flag("a.one"), tenant_id="t1", override=override),
        event(4, flag("d.new", "on", dependencies=["c.three"]), name="d.new"),
        event(5, bare, name="c.three"),
        event(6, None, name="a.one"),
        event(7, flag("a.one", "shadow")),
        event(8, flag("b.two", "kill"), name="b.two"),
    ]
    together = apply_events(loaded, texts)
    apart, changed, events = loaded, set[str](), []
    for text in texts:
        applied = apply_events(apart, [text])
        assert applied.complete
        apart, changed, events = applied.state, changed | applied.changed, [*events, *applied.events]
    state = together.state
    assert together.complete
    assert (state.flags, state.overrides, state.history) == (apart.flags, apart.overrides, apart.history)
    assert (state.ruleset.rules, state.ruleset.overrides) == (apart.ruleset.rules, apart.ruleset.overrides)
    assert state.ruleset.needed_by == apart.ruleset.needed_by == {"c.three": ["d.new"]}
    assert (
        [item["revision"] for item in together.events] == [item["revision"] for item in events] == [2, 3, 4, 5, 6, 7, 8]
    )
    assert together.changed >= {"a.one", "b.two", "c.three", "d.new"}
    assert loaded.flags["a.one"].state is FlagState.OFF, "the old state must stay as it was"


def test_an_event_that_cannot_be_read_leaves_nothing_half_done(loaded: ConsoleState) -> None:
    broken = json.loads(event(3, flag("c.three"), name="c.three", tenant_id=7))
    applied = apply_events(
        loaded, [event(2, flag("a.one", "on")), json.dumps(broken), event(4, flag("b.two"), name="b.two")]
    )
    assert (applied.state.revision, applied.complete) == (2, False)
    assert applied.state.ruleset.rules["c.three"].state is FlagState.ON


def test_archived_flag_disappears_with_its_overrides(loaded: ConsoleState) -> None:
    applied = apply_events(loaded, [event(2, None, name="c.three")])
    assert "c.three" not in applied.state.flags
    assert applied.state.ruleset.evaluate("c.three", "t", 0).reason is Reason.FLAG_NOT_FOUND


def test_override_comes_and_goes_with_its_tenant(loaded: ConsoleState) -> None:
    override = {"flag_name": "a.one", "tenant_id": "t1", "override_state": "on", "override_reason": "beta"}
    with_one = apply_events(loaded, [event(2, flag("a.one"), tenant_id="t1", override=override)])
    assert with_one.state.overrides["a.one"]["t1"].reason == "beta"
    assert with_one.state.ruleset.evaluate("a.one", "t1", 0).state is FlagState.ON
    gone = apply_events(with_one.state, [event(3, flag("a.one"), tenant_id="t1")])
    assert not gone.state.overrides["a.one"]
    assert gone.state.ruleset.evaluate("a.one", "t1", 0).state is FlagState.OFF


def test_state_that_is_unknown_is_off_never_on() -> None:
    state = model.with_listing(ConsoleState(), listing(flag("a.one", "turbo")), now=0.0).state
    assert state.flags["a.one"].state is FlagState.OFF
    assert not state.ruleset.evaluate("a.one", "t", 0).enabled


def test_receipt_counts_and_never_goes_back(loaded: ConsoleState) -> None:
    state = model.apply_receipt(loaded, json.dumps(instance("i1", 7)))
    state = model.apply_receipt(state, json.dumps(instance("i1", 5)))
    assert state.instances["i1"].revision == 7
    state = model.with_instances(state, [instance("i1", 6), instance("i2", 6)])
    assert [row.revision for row in state.instances.values()] == [7, 6]
    assert model.apply_receipt(state, "[]") is state


def test_instances_that_left_are_not_expected(loaded: ConsoleState) -> None:
    rows = [instance("i1", 1), instance("i2", 1, presence="silent"), instance("i3", 1, presence="left")]
    assert [row.instance_id for row in model.with_instances(loaded, rows).expected] == ["i1", "i2"]


def test_history_is_joined_without_doubles(loaded: ConsoleState) -> None:
    applied = apply_events(loaded, [event(2, flag("a.one", "on"))])
    rows = [json.loads(event(number, None))["change"] for number in (1, 2)]
    assert [row.change_id for row in model.with_history(applied.state, rows).history] == [2, 1]


def test_history_of_another_past_is_dropped(loaded: ConsoleState) -> None:
    applied = apply_events(loaded, [event(2, flag("a.one", "on"))])
    restored = model.with_listing(applied.state, listing(flag("a.one"), epoch="e2"), now=0.0).state
    assert restored.history == ()


def test_connected_is_not_fresh_while_the_server_is_ahead(loaded: ConsoleState) -> None:
    state = model.heard(loaded, at=10.0, head=1)
    state = model.heard(state, at=20.0, head=5)
    assert state.connection.phase is Phase.LIVE
    assert state.connection.fresh_at == 10.0
    state = model.offline(state, "reset", 25.0)
    assert state.connection.phase is Phase.OFFLINE
    assert state.connection.fresh_at == 10.0
    assert state.flags == loaded.flags
