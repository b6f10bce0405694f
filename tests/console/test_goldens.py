"""Every screen as text, at both sizes, with a fixed clock and fleet.

After an intended change look at the difference, then write them anew: ``FLAGCONSOLE_GOLDENS=write pytest tests/console``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flagconsole.console import watcher
from flagconsole.console.keeper import Keeper
from flagconsole.console.screens.settings import SettingsScreen
from flagconsole.domain.instance import Presence
from flagconsole.domain.verdict import VerdictKind

from .drawn_cohorts import a_drawn_cohort
from .golden import LARGE, MIDDLE, SMALL, Scene, file_name, is_as_it_was
from .kept_past import past_is_kept
from .shadow_reports import with_mismatches


async def fleet(console: Any) -> None:
    """The overview as it opens."""


async def incident_fleet(console: Any) -> None:
    """A canary that fails, one without data, one that is held, and an instance that is behind."""
    server = console.server
    server.change("pos.lite", "canary", percentage=10, who="rel", reason="start canary")
    server.change("invoices.auto_send", "canary", percentage=10, who="rel", reason="start canary")
    for name in list(server.instances_by_id)[1:]:
        server.confirm(name)
    for name in ("pos.loyalty_points", "pos.lite", "invoices.auto_send"):
        server.rollout_of(name)
    server.moving["pos.loyalty_points"] = lambda ago: (0.0421, 212.0) if ago < 400 else (0.0048, 190.0)
    server.look("pos.loyalty_points", server.verdict("pos.loyalty_points", VerdictKind.FAIL))
    server.look("pos.lite", server.verdict("pos.lite", VerdictKind.NO_DATA))
    server.look("invoices.auto_send", server.verdict("invoices.auto_send", VerdictKind.PASS))
    server.tell_rollout("invoices.auto_send", progression_paused=True, pause_reason="lunch")
    await console.until(lambda: len(console.app.state.problems) == 2 and bool(server.measured_windows))
    await console.press("g", "!", "!")
    await console.until(lambda: server.measured_windows[-1][0] != "pos.loyalty_points")
    await console.press("g")
    await console.until("FAIL: error_rate" if console.app.size.width > 100 else "FAIL error_rate")
    console.clock.now += 11
    server.beat()
    await console.until("AT 11/12")
    await console.until("err %")
    for name, tenants in (
        ("pos.lite", " 55 "),
        ("invoices.auto_send", " 44 "),
    ):  # whom it reaches is counted in the background
        await console.until(
            lambda name=name, tenants=tenants: any(name in row and tenants in row for row in console.rows())
        )
    await console.settled()


async def filtered(console: Any) -> None:
    await console.press("/")
    await console.type("domain:inv")


async def tenant(console: Any) -> None:
    await console.press("t")
    await console.type("tenant-0001")
    await console.press("enter")


async def detail(console: Any) -> None:
    await console.press("d")
    await console.until("RECENT CHANGES")


async def cohort(console: Any) -> None:
    await console.press("d", "2")
    await console.until("murmur3")


async def drawn_cohort(console: Any) -> None:
    console.server.cohorts["pos.loyalty_points"] = a_drawn_cohort("pos.loyalty_points")
    await console.press("d", "2")
    await console.until("TIME ZONES")


async def overrides(console: Any) -> None:
    console.server.override("pos.loyalty_points", "tenant-0007", "off", reason="asked to wait", expires_in=3600)
    await console.press("d", "3")
    await console.until("asked to wait")


async def dependents(console: Any) -> None:
    await console.press("G", "d", "4")
    await console.until("NEEDED BY")
    await console.settled()


async def versions(console: Any) -> None:
    await console.press("d", "6")
    await console.until("canary_percentage")


async def json_(console: Any) -> None:
    await console.press("d", "7")
    await console.until('"flag_name"')


async def one_tenant(console: Any) -> None:
    await console.press("d", "8", "t")
    await console.type("tenant-0001")
    await console.press("enter")
    await console.until("STEPS")


async def kill(console: Any) -> None:
    await console.press("K", "1")


async def kill_high_risk(console: Any) -> None:
    await console.press("G", "K", "2")
    await console.type("re")


async def kill_progress(console: Any) -> None:
    await console.press("K", "1", "Y")
    await console.until("PROPAGATING 0/12")
    for name in list(console.server.instances_by_id)[:9]:
        console.server.confirm(name)
    await console.until("9/12")
    await console.settled()


async def kill_confirmed(console: Any) -> None:
    await kill_progress(console)
    for name in console.server.instances_by_id:
        console.server.confirm(name)
    await console.until("CONFIRMED 12/12")


async def revive(console: Any) -> None:
    console.server.change("pos.loyalty_points", "kill", action="killed", reason="p95 above 2 s", who="maria")
    await console.until("■ kill")
    await console.settled()
    await console.press("V", "1")


async def rollback(console: Any) -> None:
    await console.until(lambda: console.app.state.playbooks)  # without them there is one way only, and no field
    await console.press("R")
    await console.until("UNDOES")


async def history(console: Any) -> None:
    await console.press("l")
    await console.until("7 changes")


async def around(console: Any) -> None:
    await console.press("@")
    await console.type("02:00")
    await console.press("enter")
    await console.until("nearest first")


async def undo_set(console: Any) -> None:
    console.server.change("pos.lite", "on", reason="go")
    await console.press("l")
    await console.until("8 changes")
    await console.press("m", "m")
    await console.until("2 chosen")
    await console.press("R")
    await console.until("UNDOES")


async def instances(console: Any) -> None:
    known = console.server.instances_by_id
    known["pos-01"] = known["pos-01"].model_copy(update={"presence": Presence.SILENT})
    known["jobs-03"] = known["jobs-03"].model_copy(update={"transport": "polling", "sdk_version": "0.0.9"})
    console.server.change("pos.lite", "kill", action="killed", reason="p95 above 2 s", who="maria")
    for name in list(known)[1:]:
        console.server.confirm(name)
    console.server.confirm("pos-01", 7)
    await console.press("5")
    await console.until("11/12 have rev 8")
    await console.settled()


async def tenants(console: Any) -> None:
    await console.press("6")
    await console.until("FLAGS")


async def shadow(console: Any) -> None:
    console.server.add("pos.tabs", "shadow", ago=90_000)
    console.server.change("pos.tabs", "shadow", reason="look at the new tax", who="ci")
    console.server.shadow_reports["pos.tabs"] = with_mismatches("pos.tabs")
    await console.until("pos.tabs")
    await console.press("7", "j")
    await console.until("READINESS")


async def shadow_empty(console: Any) -> None:
    await console.press("7")
    await console.until("No shadow executions")


async def help_(console: Any) -> None:
    await console.press("?")
    await console.until("HELP")


async def help_search(console: Any) -> None:
    await console.press("?", "/")
    await console.type("roll")
    await console.until("ELSEWHERE")


async def palette(console: Any) -> None:
    await console.press(":")
    await console.type("kill")
    await console.until("kill pos.lite")


async def offline(console: Any) -> None:
    if console.app.size.width >= 100:
        await console.until("MEASURED")
    console.clock.now += 134
    console.server.cut("connection reset by peer", retry_in=4.0)
    await console.until("OFFLINE")


async def break_glass(console: Any) -> None:
    await offline(console)
    await console.press("b")
    await console.until("BY HAND")


async def arm(console: Any) -> None:
    await offline(console)
    await console.press("a", "1")
    await console.until("Y arm it")


async def armed(console: Any) -> None:
    await arm(console)
    await console.press("Y")
    await console.until("ARMED kill")


async def connection_back(console: Any) -> None:
    await armed(console)
    console.clock.now += 20
    console.server.change("pos.loyalty_points", "canary", percentage=5, reason="5 % is enough", silent=True)
    await console.press("r")
    await console.until("CONNECTION BACK")


async def asked_now(console: Any) -> None:
    """Have what the screen asks again and again answered at this very moment: which second it was asked in is left to nobody."""
    console.clock.now += 1  # the pace in front
    await console.until(lambda: console.app.state.oversight.asked_at == console.clock.now)


async def approvals(console: Any) -> None:
    """Requests that wait, one's own among them, one that was allowed, one whose consent was taken back, and one that ran out."""
    server = console.server
    server.ask_for(
        "pos.lite", current_state="canary", canary_percentage=50, change_reason="canary 10 was clean for two days"
    )
    server.ask_for("invoices.write", "revive", who="maria", ago=1800.0, revive_reason="fixed in 4.2.1")
    server.ask_for("billing.retry", "override", who="ops1", ago=60.0, override_state="on", override_reason="pilot", tenant_id="tenant-0042")  # fmt: skip
    await server.approve(
        server.ask_for("ai.search", who="tom", ago=2400.0, current_state="on", change_reason="done").approval_id
    )
    taken_back = server.ask_for(
        "pos.kds", who="maria", ago=3000.0, current_state="on", change_reason="all kitchens"
    ).approval_id
    await server.approve(taken_back)
    server.say_no(taken_back, "ada", "the canary hasn't shown enough")
    server.ask_for("pos.offline", who="tom", ago=7200.0, current_state="on", change_reason="for the pilot")
    console.clock.now += 5
    await console.press("8")
    await console.until("3 wait for a second person")
    await console.press("j", "j", "k")
    await console.until("gain it")
    await asked_now(console)


async def approve(console: Any) -> None:
    """What somebody else asked for, before it is allowed."""
    await approvals(console)
    await console.press("A")
    await console.until("lite> ")
    await asked_now(console)


async def declined(console: Any) -> None:
    """A consent that was taken back: by whom, when and why."""
    await approvals(console)
    await console.press("G", "k")
    await console.until("– declined by ada")
    await asked_now(console)


async def decline(console: Any) -> None:
    """What it means to say no, before it is said."""
    await approvals(console)
    await console.press("D")
    await console.press("1")
    await console.until("Y decline it")
    await asked_now(console)


async def reviews(console: Any) -> None:
    """Rights in force, some to be looked at, and some that were."""
    server = console.server
    done = (
        server.change("pos.lite", "canary", percentage=10, who="olu", reason="needed for the fix"),
        server.change("invoices.write", "on", who="olu", reason="back to what it was"),
    )
    server.take_rights(
        "olu", "registers are down, nobody answers", changes=done, calls=("PUT /api/tenants", "POST /api/keys")
    )
    server.take_rights("maria", "the owner is on a plane", ago=600.0)
    server.take_rights("tom", "drill", ago=90_000.0, reviewed_at=server._now, reviewed_by="ada", review_note="right, and only what was needed")  # fmt: skip
    console.clock.now += 5
    await console.press("9")
    await console.until("1 to review")
    await console.press("j")
    await console.until("OTHER CALLS 2")
    await asked_now(console)


async def review(console: Any) -> None:
    """What is written down of them."""
    await reviews(console)
    await console.press("C")
    await console.until("nothing sent yet")
    await asked_now(console)


SCENES: list[Scene] = [
    fleet, incident_fleet, filtered, tenant, detail, cohort, drawn_cohort, overrides, dependents, versions, json_, one_tenant, kill, kill_high_risk, kill_progress, kill_confirmed, revive, rollback, history, around, undo_set,
    approvals, approve, declined, decline, reviews, review, instances, tenants, shadow, shadow_empty, help_, help_search, palette, offline,
]  # fmt: skip


LARGE_SCENES: list[Scene] = [
    approvals,
    reviews,
    fleet,
    incident_fleet,
    detail,
    drawn_cohort,
    kill_progress,
    history,
    instances,
    tenants,
    shadow,
]


async def settings(console: Any) -> None:
    console.app.options = console.app.options._replace(log_folder=Path("/home/me/.local/state/flagconsole"))
    console.app.push_screen(SettingsScreen())
    await console.until("configuration")


async def travel(console: Any) -> None:
    await console.until(lambda: past_is_kept(console))
    await console.press("T")
    await console.until("TIME TRAVEL")
    await console.press(",")
    await console.until("rev 5 of 7")


#: Without a connection, and what is not about flags.
OFFLINE_SCENES: list[Scene] = [break_glass, arm, armed, connection_back, settings, travel]
CASES = [(scene, size) for scene in [*SCENES, *OFFLINE_SCENES] for size in (SMALL, MIDDLE)] + [
    (scene, LARGE) for scene in LARGE_SCENES
]


@pytest.mark.parametrize(("scene", "size"), CASES, ids=[file_name(*case) for case in CASES])
async def test_screen_is_as_it_was(
    open_console: Any, scene: Scene, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("TMUX", "COLORTERM", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    keeper = Keeper(tmp_path / "cache.db") if scene is travel else None
    monkeypatch.setattr(watcher, "GLANCE", 0.01)
    async with open_console(size=size, keeper=keeper) as console:
        await console.until(lambda: console.app.state.selected in console.app.state.metrics)
        await scene(console)
        await is_as_it_was(console, file_name(scene, size))


async def test_ascii_screen_has_only_ascii(open_console: Any) -> None:
    async with open_console(ascii_only=True) as console:
        await console.press("K", "1")
        assert not [char for char in console.screen() if not char.isascii()]
