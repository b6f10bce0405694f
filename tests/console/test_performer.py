"""Seeing an action through: the journal first, the same key again, and never a claim that isn't so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flagconsole.console.actions import Action, Kind, Stage
from flagconsole.console.journal import Journal
from flagconsole.console.performer import Performer
from flagconsole.domain.errors import FlagKilled, NotAllowed, OutcomeUnknown, Unreachable

HERE = "http://here"


def action(kind: Kind = Kind.KILL, name: str = "pos.lite", **more: object) -> Action:
    return replace(Action("key-1", kind, name, "production", "error rate", 1, "shadow", 0.0), **more)  # type: ignore[arg-type]


class Recorder:
    """Collects reported stages; ``journal_at_send`` is what was in the journal when the request left."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    def __call__(self, action: Action) -> None:
        self.stages.append(action.stage)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


@pytest.fixture
def make(server: Any, journal: Journal) -> Any:
    def made(report: Any = lambda _: None, clock: Any = None) -> Performer:
        from flagconsole.console.clock import Clock

        return Performer(
            server, journal, clock or Clock(), HERE, lambda: ("e1", server.revision), report, ask_every=0.0
        )

    return made


async def test_kill_is_in_the_journal_before_it_leaves(server: Any, journal: Journal, make: Any) -> None:
    seen: list[list[str]] = []
    kill = server.kill

    async def watched(*args: Any, **more: Any) -> Any:
        seen.append([item.action.key for item in journal.unresolved(HERE)])
        return await kill(*args, **more)

    server.kill = watched
    stages = Recorder()
    done = await make(stages).perform(action())
    assert seen == [["key-1"]]
    assert stages.stages == [Stage.INTENT, Stage.SENT, Stage.ACCEPTED]
    assert (done.revision, done.after, done.changed) == (server.revision, "kill", True)
    assert journal.unresolved(HERE) == []


async def test_second_kill_says_that_nothing_had_to_change(server: Any, make: Any) -> None:
    first = await make().perform(action())
    second = await make().perform(action(key="key-2"))
    assert (second.stage, second.changed, second.revision) == (Stage.ACCEPTED, False, first.revision)


@pytest.mark.parametrize("error", [NotAllowed(required="operator", role="viewer"), FlagKilled(flag="pos.lite")])
async def test_refusal_is_rejected_with_its_reason(server: Any, make: Any, error: Any) -> None:
    server.failures = [error]
    done = await make().perform(action())
    assert done.stage is Stage.REJECTED
    assert done.message == str(error)


async def test_unreachable_never_took_effect(server: Any, make: Any) -> None:
    server.failures = [Unreachable(url=HERE, problem="refused")]
    assert (await make().perform(action())).stage is Stage.REJECTED
    assert server.flags_by_name["pos.lite"].current_state.value == "shadow"


async def test_unknown_is_asked_again_with_the_same_key(server: Any, make: Any) -> None:
    server.failures = [OutcomeUnknown(problem="timeout"), Unreachable(url=HERE, problem="refused")]
    stages = Recorder()
    done = await make(stages).perform(action())
    assert [key for *_, key in server.requests] == ["key-1"] * 3
    assert done.stage is Stage.ACCEPTED
    assert done.attempts == 3
    assert Stage.UNKNOWN in stages.stages
    assert Stage.REJECTED not in stages.stages


async def test_unknown_for_too_long_is_read_back(server: Any, make: Any) -> None:
    from flagconsole.console.clock import Clock

    class Leaping(Clock):
        at = 0.0

        def monotonic(self) -> float:
            self.at += 20.0
            return self.at

    server.failures = [OutcomeUnknown(problem="timeout")] * 50
    done = await make(clock=Leaping()).perform(action())
    assert done.stage is Stage.REJECTED
    assert "never took effect" in done.message


async def test_action_of_a_crashed_console_is_found_in_the_log(server: Any, journal: Journal, make: Any) -> None:
    base = server.revision
    journal.record(action(base_revision=base), HERE, "e1")
    change = server.change("pos.lite", "kill", action="killed", reason="error rate", who="ops1", silent=True)
    found: list[Action] = []
    await make(found.append).read_back_earlier()
    assert [(item.stage, item.revision, item.earlier) for item in found] == [(Stage.ACCEPTED, change.change_id, True)]
    assert server.requests == [], "reading back must send nothing that changes"
    assert journal.unresolved(HERE) == []


async def test_action_that_never_arrived_is_said_to_be_so(server: Any, journal: Journal, make: Any) -> None:
    journal.record(action(base_revision=server.revision), HERE, "e1")
    found: list[Action] = []
    await make(found.append).read_back_earlier()
    assert found[0].stage is Stage.REJECTED
    assert "never took effect: it is shadow" in found[0].message
    assert server.requests == []


async def test_absence_from_the_log_proves_nothing_too_soon(
    server: Any, journal: Journal, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flagconsole.console.clock import Clock

    class Standing(Clock):
        """However long a busy machine takes, the request was sent just now."""

        def time(self) -> float:
            return 1_800_000_000.0

    monkeypatch.setattr("flagconsole.console.performer.SETTLING", 0.25)
    journal.record(action(base_revision=server.revision, begun_at=Standing().time()), HERE, "e1")
    found: list[Action] = []

    def report(item: Action) -> None:
        if not found:
            server.change("pos.lite", "kill", action="killed", reason="error rate", who="ops1", silent=True)
        found.append(item)

    await make(report, Standing()).read_back_earlier()
    assert [item.stage for item in found] == [Stage.UNKNOWN, Stage.ACCEPTED]


async def test_restored_database_leaves_it_unknown(server: Any, journal: Journal, make: Any) -> None:
    journal.record(action(base_revision=3), HERE, "older")
    found: list[Action] = []
    await make(found.append).read_back_earlier()
    assert found[0].stage is Stage.UNKNOWN
    assert journal.unresolved(HERE), "it stays open"


async def test_journal_that_cannot_be_written_stops_no_kill(server: Any, tmp_path: Path) -> None:
    from flagconsole.console.clock import Clock

    (tmp_path / "file").write_text("")
    performer = Performer(
        server, Journal(tmp_path / "file" / "journal.db"), Clock(), HERE, lambda: ("e1", 1), lambda _: None
    )
    done = await performer.perform(action())
    assert done.stage is Stage.ACCEPTED
    assert performer.journal_problem


async def test_revive_carries_the_version_that_was_seen(server: Any, make: Any) -> None:
    server.change("pos.lite", "kill", action="killed", silent=True)
    done = await make().perform(action(Kind.REVIVE, version=2, before="kill"))
    assert (done.stage, done.after) == (Stage.ACCEPTED, "off")
