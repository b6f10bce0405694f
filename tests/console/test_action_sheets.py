"""The sheets of the actions besides kill: what they show, what they guard, what they send."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from flagconsole.domain.errors import OutcomeUnknown, VersionConflict
from flagconsole.domain.role import Role
from flagconsole.domain.states import FlagState
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.checklist import CHECKLIST
from flagconsole.operations.plan_file import shipped_plan

from . import fake_actions
from .fake_rollouts import going_bad

Console = Any
NAME = "pos.loyalty_points"
WORD = "loyalty_points"


def under_way(server: Any, kind: VerdictKind = VerdictKind.PASS, **more: Any) -> None:
    server.rollout_of(NAME, **more)
    for ago in (130.0, 70.0, 4.0):
        server.look(NAME, server.verdict(NAME, kind, ago=ago), silent=True)


async def known(console: Console) -> None:
    await console.until(lambda: NAME in console.app.state.rollouts and console.app.state.playbooks)


# kill: the suggestion


async def test_the_failing_criterion_is_suggested_with_its_figures_and_never_chosen(
    server: Any, open_console: Console
) -> None:
    under_way(server, VerdictKind.FAIL)
    async with open_console() as console:
        await known(console)
        await console.press("enter")
        await console.until("FAIL 2:1")
        await console.press("K")
        await console.until("◂ suggested")
        assert "1 error rate 4.21 % > 2.00 % for 2:1" in console.screen()
        await console.press("Y")
        assert server.requests == [], "a suggestion is no reason yet"
        await console.press("1", "Y")
        await console.until(lambda: server.requests)
        assert server.requests[0][2].kill_reason.startswith("error rate 4.21 % > 2.00")


async def test_a_kill_names_the_incident_that_it_joins(server: Any, open_console: Console) -> None:
    server.incident_of(NAME)
    async with open_console() as console:
        await console.until(lambda: console.app.state.incidents)
        await console.press("K")
        await console.until("joins inc-1")


# the effect: measured, never invented


async def test_the_effect_appears_once_it_was_measured_after_the_change(server: Any, open_console: Console) -> None:
    under_way(server, VerdictKind.FAIL)
    server.moving[NAME] = going_bad
    async with open_console((120, 40)) as console:
        await known(console)
        await console.until(lambda: NAME in console.app.state.metrics)
        await console.press("K", "1", "Y")
        await console.until("PROPAGATING 0/12")
        for name in server.instances_by_id:
            server.confirm(name)
        await console.until("CONFIRMED 12/12")
        await console.until("waiting for data   the judge saw 4.21 %")
        # Only data that goes up to the change says what was before it.
        server.later = 25.0
        server.moving[NAME] = lambda ago: None if ago < 23 else going_bad(ago - 25)
        console.clock.now += 25
        await console.until("waiting for data since the change")
        (action,) = console.app.state.ledger
        assert action.effect is not None
        assert action.effect.after is None
        before = action.effect.before
        # Two minutes later: 90 s of data at 0.4 % since the kill.
        server.later = 120.0
        server.moving[NAME] = lambda ago: (0.004, 200.0) if ago < 118 else going_bad(ago - 120)
        console.clock.now += 95
        await console.until("✓ EFFECT")
        (action,) = console.app.state.ledger
        assert action.effect.before == pytest.approx(before, rel=0.1)
        assert action.effect.after == pytest.approx(0.004)
        assert "→ 0.40 %" in console.screen()


# rollback


async def test_the_playbook_of_the_urgency_is_marked_with_its_steps_and_then_runs(
    server: Any, open_console: Console
) -> None:
    under_way(server, VerdictKind.FAIL)
    async with open_console((120, 40)) as console:
        await known(console)
        await console.press("R")
        await console.until("[immediate]")
        await console.until("then Y begin immediate")
        screen = console.screen()
        assert "Verify it is off and errors stop" in screen
        assert "2 min" in screen
        assert "suggested: what fails is of high urgency" in screen
        await console.press("1", "Y")
        await console.until("immediate RUNNING")
        ((verb, name, body, key),) = server.requests
        assert (verb, name, body.playbook_name) == ("playbook", NAME, "immediate")
        assert key
        assert "of the estimated 9 min" in console.screen()
        await console.press("x")
        await console.until("ROLLBACK pos.loyalty_points")
        assert console.app.state.incidents["inc-5"].run.active, "hiding it stops nothing"


async def test_another_way_back_has_to_be_seen_before_y_counts(server: Any, open_console: Console) -> None:
    under_way(server)
    async with open_console() as console:
        await known(console)
        await console.press("R")
        await console.until("UNDOES")
        await console.press("1", "right")
        await console.press("Y", pause=0.01)
        assert server.requests == []
        await console.until("Halve the percentage")
        await console.until("Y begin gradual")
        await console.press("Y")
        await console.until(lambda: server.requests)
        assert server.requests[0][2].playbook_name == "gradual"


# promote


async def test_a_refused_promotion_is_asked_about_anew_when_the_judge_says_otherwise(
    server: Any, open_console: Console
) -> None:
    under_way(server, fresh_seconds=48 * 3600.0)
    server.look(NAME, server.verdict(NAME, VerdictKind.INCONCLUSIVE), silent=True)
    async with open_console((120, 40)) as console:
        await known(console)
        await console.press("P")
        await console.until("REFUSED")
        server.look(NAME, server.verdict(NAME, VerdictKind.PASS))
        await console.until(lambda: "REFUSED" not in console.screen() and "PASS" in console.screen())


async def test_promote_ticks_the_checklist_and_takes_the_name_in_production(server: Any, open_console: Console) -> None:
    under_way(server, fresh_seconds=48 * 3600.0)
    server.ticked[NAME] = {"defined in the store"}
    async with open_console((120, 40)) as console:
        await known(console)
        await console.press("P")
        await console.until("[ ] shadow mode ready")
        assert "[✓] success and failure criteria set  the store knows it" in console.screen()
        assert "▶ [ ] shadow mode ready" in console.screen(), "what nobody needs to tick isn't marked"
        assert "nothing can be confirmed yet" in console.screen()
        await console.press("1", "Y")
        await console.until("tick the 5 left of the checklist first: t, a")
        await console.press("t")
        await console.until("[✓] shadow mode ready  not sent yet")
        await console.press("up", "t")
        await console.until("[ ] shadow mode ready")
        await console.press("a")
        await console.until("type loyalty_points to promote")
        assert server.ticked[NAME] == {"defined in the store"}, "Esc would leave all as it was"
        assert "nothing sent yet" in console.screen()
        await console.type(WORD)
        await console.until(lambda: server.requests)
        verb, name, body, _ = server.requests[0]
        assert (verb, name, body.past_verdict) == ("promote", NAME, False)
        assert body.checked
        await console.until("canary 10 % → canary 50 %")
        assert server.ticked[NAME] == set(CHECKLIST) - {"success and failure criteria set"}


async def test_a_failing_guard_is_only_passed_by_an_explicit_key_and_the_typed_name(
    server: Any, open_console: Console
) -> None:
    server.environment = "staging"
    under_way(server, VerdictKind.FAIL)
    async with open_console((120, 40)) as console:
        await known(console)
        await console.press("P")
        await console.until("REFUSED")
        assert "REASON" not in console.screen(), "a refused sheet asks for nothing"
        await console.press("1", "Y")
        assert "Y does nothing here: n cancel, ! past the verdict · nothing sent yet" in console.screen()
        assert server.requests == []
        await console.press("!")
        await console.until("PAST THE VERDICT")
        await console.until("then type loyalty_points")
        await console.press("1")
        await console.until("type loyalty_points to promote")
        await console.press("Y", "backspace")
        assert server.requests == []
        await console.type(WORD)
        await console.until(lambda: server.requests)
        assert server.requests[0][2].past_verdict is True


async def test_an_operator_is_not_offered_to_go_past_the_verdict(server: Any, open_console: Console) -> None:
    server.role = Role.OPERATOR
    under_way(server, VerdictKind.FAIL)
    async with open_console((120, 40)) as console:
        await known(console)
        await console.press("P")
        await console.until("REFUSED")
        await console.press("!")
        assert "PAST THE VERDICT" not in console.screen()
        assert "past the verdict" not in console.rows()[-1]


# hold, resume, end


async def test_two_pauses_are_two_choices_and_nobody_has_to_confirm(server: Any, open_console: Console) -> None:
    under_way(server)
    async with open_console() as console:
        await known(console)
        await console.press("H")
        await console.until("[pause progression]")
        await console.press("right")
        await console.until("[freeze exposure]")
        await console.press("1")
        await console.until("Y freeze exposure")
        await console.press("Y")
        await console.until("progression paused, exposure frozen")
        assert server.requests[0][0] == "hold"
        assert server.requests[0][2].freeze_exposure is True
        assert "instances have nothing to do" in console.screen()
        await console.press("x", "H")
        await console.until("[resume]")
        await console.press("4", "Y")
        await console.until(lambda: len(server.requests) == 2)
        assert server.requests[1][0] == "resume"


async def test_without_a_rollout_hold_says_what_to_press(server: Any, open_console: Console) -> None:
    async with open_console() as console:
        await console.press("H")
        await console.until("has no rollout under way; B begins one")


# set


async def test_raising_in_production_takes_the_name_and_lowering_does_not(server: Any, open_console: Console) -> None:
    async with open_console() as console:
        await console.press("S")
        await console.until("choose with ← →")
        await console.press("right")
        await console.until("canary 10 % (v2) → on")
        await console.until("then type loyalty_points")
        await console.press("left", "left", "left")
        await console.until("canary 10 % (v2) → off")
        await console.until("then Y set it")
        await console.press("1", "Y")
        await console.until(lambda: server.requests)
        verb, _, body, _ = server.requests[0]
        assert verb == "update"
        assert body.current_state is FlagState.OFF


async def test_a_larger_share_counts_whom_it_reaches(server: Any, open_console: Console) -> None:
    server.change("pos.lite", "on", silent=True)
    async with open_console() as console:
        await console.press("/")
        await console.type("loyalty")
        await console.press("enter", "S")
        await console.until("choose with ← →")
        await console.press("down", "right")
        await console.until("canary 10 % (v2) → canary 25 %")
        await console.until("gain it · 0 lose it of 500")
        await console.until("then type loyalty_points")


async def test_the_version_is_sent_and_a_conflict_shows_what_changed_and_asks_again(
    server: Any, open_console: Console
) -> None:
    server.environment = "staging"
    async with open_console((120, 40)) as console:
        await console.press("S")
        await console.until("choose with ← →")
        await console.press("left", "left", "left")
        await console.until("then Y set it")
        conflict = VersionConflict(flag=NAME, current=3, given=2, changed_by="ci", changed_at="now")
        await console.press("1")
        server.failures.append(conflict)
        await console.press("Y")
        await console.until("REJECTED")
        server.change(NAME, "canary", percentage=25, who="ci", reason="next step")
        await console.until("changed meanwhile by ci: now v3, canary 25 %")
        assert "“next step”" in console.screen()
        await console.press("a")
        await console.until("canary 25 % (v3) → off")
        await console.press("Y")
        assert len(server.requests) == 1, "the reason is asked again as well"
        await console.press("1", "Y")
        await console.until(lambda: len(server.requests) == 2)


async def test_a_change_under_the_open_sheet_is_shown_and_decided_anew(server: Any, open_console: Console) -> None:
    server.environment = "staging"
    async with open_console((120, 40)) as console:
        await console.press("S")
        await console.until("choose with ← →")
        await console.press("left", "left", "left", "1")
        await console.until("Y set it")
        server.change(NAME, "canary", percentage=25, who="ci", reason="next step")
        await console.until("changed meanwhile by ci")
        await console.press("Y")
        assert server.requests == []


# override


async def test_an_override_asks_for_the_tenant_and_ends_by_itself(server: Any, open_console: Console) -> None:
    async with open_console() as console:
        await console.press("O")
        await console.until("for which tenant?")
        await console.type("tenant-0009")
        await console.press("enter")
        await console.until("OVERRIDE pos.loyalty_points")
        await console.until("[24h]")
        await console.press("1", "Y")
        await console.until(lambda: server.requests)
        verb, name, body, _ = server.requests[0]
        assert (verb, name, body.tenant_id, body.override_state) == ("override", NAME, "tenant-0009", FlagState.OFF)
        assert body.expires_at.timestamp() == pytest.approx(console.app.server_now() + 86_400, abs=5)


async def test_giving_a_tenant_more_in_production_takes_the_name(server: Any, open_console: Console) -> None:
    async with open_console(tenant="tenant-0009") as console:
        await console.press("/")
        await console.type("vector")
        await console.press("enter", "O")
        await console.until("OVERRIDE ai.vector_search")
        await console.press("right", "right", "right")
        await console.until("then type vector_search")


# begin


async def test_a_rollout_begins_by_the_plan_that_was_seen(server: Any, open_console: Console) -> None:
    async with open_console() as console:
        await console.press("B")
        await console.until("canary 50")
        await console.until("then type loyalty_points")
        await console.press("right")
        await console.until("[default]")
        await console.until("then type loyalty_points")
        await console.press("1")
        await console.type(WORD)
        await console.until(lambda: server.requests)
        assert server.requests[0][0] == "start"
        assert server.requests[0][2].plan_name == "default"


async def test_the_plans_that_the_environment_keeps_are_offered_too(server: Any, open_console: Console) -> None:
    server.kept_plans = ("demo", "slow-and-sure")
    async with open_console() as console:
        await console.press("B")
        await console.until("default  demo  slow-and-sure ")  # one of that name ships, and is offered once
        await console.press("right", "right", "right")
        await console.until("[slow-and-sure]")
        await console.until("then type loyalty_points")
        await console.press("1")
        await console.type(WORD)
        await console.until(lambda: server.requests)
        assert server.requests[0][2].plan_name == "slow-and-sure"


# undo


async def test_undo_takes_back_the_newest_own_change_within_a_minute(server: Any, open_console: Console) -> None:
    server.environment = "staging"
    async with open_console() as console:
        await console.press("U")
        await console.until("nothing was done from here")
        await console.press("S")
        await console.until("choose with ← →")
        await console.press("left", "left", "left")
        await console.until("then Y set it")
        await console.press("1", "Y")
        await console.until("ACCEPTED")
        await console.press("x", "U")
        await console.until("UNDO pos.loyalty_points")
        await console.until("UNDOES")
        await console.until("then Y roll back")
        await console.press("4", "Y")
        await console.until(lambda: len(server.requests) == 2)
        assert server.requests[1][0] == "rollback"
        assert server.requests[1][2].allow_raise is True


async def test_after_a_minute_undo_says_what_to_press_instead(server: Any, open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K", "1", "Y")
        await console.until("ACCEPTED")
        await console.press("x")
        console.clock.now += 61
        await console.press("U")
        await console.until("R rolls back")


async def test_undoing_a_kill_is_a_revive(server: Any, open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K", "1", "Y")
        await console.until("ACCEPTED")
        await console.until(
            lambda: console.app.state.flags[NAME].state.value == "kill"
        )  # the stream brings it by itself
        await console.press("x", "U")
        await console.until("REVIVE pos.loyalty_points")


async def test_a_revive_says_that_its_incident_stays_open(server: Any, open_console: Console) -> None:
    server.environment = "staging"
    async with open_console() as console:
        server.change(NAME, "kill", action="killed", reason="p95 above 2 s", who="maria")
        server.tell_incident(server.incident_of(NAME).incident_id)
        await console.until(lambda: console.app.state.incidents)
        await console.press("V")
        await console.until("inc-1 stays open until somebody closes it")
        await console.press("1", "Y")
        await console.until("inc-1 stays open: i shows it, there X closes it")
        await console.press("i")
        await console.until("INCIDENTS 1 open")


async def test_undo_of_what_somebody_else_changed_since_is_refused(server: Any, open_console: Console) -> None:
    server.environment = "staging"
    async with open_console() as console:
        await console.press("S")
        await console.until("choose with ← →")
        await console.press("left", "left", "left")
        await console.until("then Y set it")
        await console.press("1", "Y")
        await console.until("ACCEPTED")
        server.change(NAME, "canary", percentage=25, who="ci", reason="next step")
        await console.press("x", "U")
        await console.until("another change came after yours")
        assert "nothing to confirm: nothing of it would be done" in console.screen()
        assert "REASON" not in console.screen()
        assert "reason" not in console.rows()[-1]


# a lost answer


async def test_a_lost_answer_is_asked_for_again_with_the_same_key(server: Any, open_console: Console) -> None:
    under_way(server)
    async with open_console() as console:
        await known(console)
        server.failures.append(OutcomeUnknown(problem="connection reset", key="k"))
        await console.press("H")
        await console.until("[pause progression]")
        # The first failure would be the dry run's, had this sheet one: it has none.
        await console.press("1", "Y")
        await console.until("UNKNOWN")
        await console.until("progression paused")
        assert len(server.requests) == 2
        assert server.requests[0][3] == server.requests[1][3]


async def test_a_kill_of_the_wrong_flag_is_undone_from_the_sheet_that_shows_it(
    server: Any, open_console: Console
) -> None:
    async with open_console() as console:
        await console.press("K")
        await console.until("BLAST")
        await console.press("1", "Y")
        await console.until("U clears the kill: a revive, to off   for ")
        assert "U undo" in console.rows()[-1]
        for name in server.instances_by_id:
            server.confirm(name)
        await console.until("CONFIRMED 12/12")
        assert all(name in console.screen() for name in server.instances_by_id), "there is room for all names"
        await console.press("U")
        await console.until("REVIVE pos.loyalty_points")
        assert "S sets its state" in console.screen()
        assert "its rollout does not restart" not in console.screen(), "it had none"


async def test_after_a_minute_the_sheet_offers_no_undo(server: Any, open_console: Console) -> None:
    async with open_console() as console:
        await console.press("K")
        await console.until("BLAST")
        await console.press("1", "Y")
        await console.until("U clears the kill")
        console.clock.now += 61
        await console.until(lambda: "U clears the kill" not in console.screen())
        await console.press("U")
        assert "REVIVE" not in console.screen()


async def test_a_rollout_that_begins_with_a_canary_asks_for_the_checklist_on_its_sheet(
    server: Any, open_console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.environment = "staging"
    monkeypatch.setattr(fake_actions, "shipped_plan", at_a_canary)
    async with open_console((120, 40)) as console:
        await console.press("B")
        await console.until("[ ] shadow mode ready")
        await console.press("1", "Y")
        await console.until("left of the checklist first: t, a")
        assert server.requests == []
        await console.press("a")
        await console.until("Y begin the rollout")
        await console.press("Y")
        await console.until(lambda: server.requests)
        assert server.requests[0][2].checked


def at_a_canary(name: str) -> Any:
    plan = shipped_plan(name).plan
    phases = tuple(phase for phase in plan.phases if phase.kind.value != "shadow")
    return SimpleNamespace(plan=plan.model_copy(update={"phases": phases}))
