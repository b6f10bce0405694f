"""The blast radius on the kill sheet, and when a kill is high risk."""

from __future__ import annotations

from typing import Any

import pytest

from flagconsole.console import state as model
from flagconsole.console.impact import kill_impact, last_part, reaches
from flagconsole.console.state import ConsoleState
from flagconsole.domain.states import FlagState

NOW = 1_773_457_651.0
DAY = 86_400.0


def flag(name: str, state: str, days: float, **more: Any) -> dict[str, Any]:
    from datetime import UTC, datetime

    return {
        "flag_name": name,
        "current_state": state,
        "canary_percentage": more.pop("percentage", 0),
        "canary_tenant_ids": [],
        "dependencies": more.pop("dependencies", []),
        "version": 1,
        "updated_at": datetime.fromtimestamp(NOW - days * DAY, UTC).isoformat(),
        "updated_by": "ops1",
    }


def state_of(*flags: dict[str, Any], overrides: Any = (), tenants: int = 400) -> ConsoleState:
    listing = {"epoch": "e1", "revision": 5, "flags": list(flags), "overrides": list(overrides)}
    state = model.with_listing(ConsoleState(), listing, NOW).state
    return model.with_tenants(state, ({"tenant_id": f"t{number}"} for number in range(tenants)))


def test_counts_who_loses_the_feature_and_its_dependents() -> None:
    state = state_of(flag("a.one", "on", 1), flag("a.two", "on", 1, dependencies=["a.one"]), flag("a.three", "off", 1))
    impact = kill_impact(state, "a.one", NOW)
    assert (impact.blast.losing, impact.blast.tenants, impact.revision) == (400, 400, 5)
    assert [(item.flag_name, item.tenants, item.after) for item in impact.blast.dependents] == [
        ("a.two", 400, FlagState.OFF)
    ]


def test_on_for_everyone_for_long_is_high_risk() -> None:
    assert not kill_impact(state_of(flag("a.one", "on", 13)), "a.one", NOW).risks
    (risk,) = kill_impact(state_of(flag("a.one", "on", 20)), "a.one", NOW).risks
    assert "on for everyone for 20 days" in risk


@pytest.mark.parametrize("state", ["off", "shadow", "canary"])
def test_other_states_are_not(state: str) -> None:
    assert not kill_impact(state_of(flag("a.one", state, 99, percentage=50)), "a.one", NOW).risks


def test_one_tenant_without_it_keeps_the_other_path_alive() -> None:
    override = {"flag_name": "a.one", "tenant_id": "t7", "override_state": "off", "override_reason": "x"}
    impact = kill_impact(state_of(flag("a.one", "on", 20), overrides=[override]), "a.one", NOW)
    assert impact.blast.losing == 399
    assert not impact.risks


def test_dependents_of_many_tenants_are_high_risk() -> None:
    flags = (flag("a.one", "on", 1), flag("a.two", "on", 1, dependencies=["a.one"]))
    (risk,) = kill_impact(state_of(*flags), "a.one", NOW).risks
    assert "a.two would change for 400 of 400 tenants" in risk
    assert not kill_impact(state_of(*flags, tenants=50), "a.one", NOW).risks, "fifty tenants are not many"


def test_dependent_that_only_runs_in_shadow_is_no_risk() -> None:
    flags = (flag("a.one", "on", 1), flag("a.two", "shadow", 1, dependencies=["a.one"]))
    assert not kill_impact(state_of(*flags), "a.one", NOW).risks


def test_reach_of_flags() -> None:
    state = state_of(flag("a.one", "on", 1), flag("a.two", "shadow", 1), flag("a.three", "off", 1))
    found = reaches(state.ruleset, frozenset({"a.one", "a.two", "a.three", "a.gone"}), state.tenants, NOW)
    assert {name: (reach.enabled, reach.shadow) for name, reach in found.items()} == {
        "a.one": (400, 0),
        "a.two": (0, 400),
        "a.three": (0, 0),
    }


def test_last_part_is_what_is_typed() -> None:
    assert last_part("invoices.write") == "write"
    assert last_part("a.b.c") == "c"
