"""An action's life."""

from __future__ import annotations

from flagconsole.console import actions
from flagconsole.console.actions import PARTIAL_AFTER, Action, Kind, Stage
from flagconsole.console.rows import InstanceRow


def action() -> Action:
    return Action("key-1", Kind.KILL, "pos.lite", "production", "errors", 3, "on", 0.0)


def instances(**revisions: int) -> dict[str, InstanceRow]:
    return {name: row(name, revision) for name, revision in revisions.items()}


def row(name: str, revision: int, presence: str = "live", epoch: str = "e1") -> InstanceRow:
    return InstanceRow(name, "billing", epoch, revision, presence, "ready", "stream", "0.1", 0.0, None)


def accepted(at: float = 10.0) -> Action:
    return actions.accepted(actions.sent(action(), 9.0), at, "e1", 8, changed=True, after="kill")


def test_nothing_is_confirmed_before_the_server_has_accepted() -> None:
    for stage in (
        action(),
        actions.sent(action(), 9.0),
        actions.unknown(action(), "?"),
        actions.rejected(action(), "no"),
    ):
        assert actions.observed(stage, instances(a=99), 10.0) is stage


def test_propagates_to_confirmed_and_says_how_long_it_took() -> None:
    going = actions.observed(accepted(), instances(a=8, b=7), 10.5)
    assert (going.stage, going.confirmed, going.behind) == (Stage.PROPAGATING, ("a",), ("b",))
    done = actions.observed(going, instances(a=8, b=8), 11.0)
    assert (done.stage, done.expected, done.took) == (Stage.CONFIRMED, 2, 2.0)


def test_partial_names_who_is_behind_and_can_still_be_confirmed() -> None:
    late = actions.observed(accepted(), instances(a=8, b=7), 10.0 + PARTIAL_AFTER)
    assert (late.stage, late.behind) == (Stage.PARTIAL, ("b",))
    assert actions.observed(late, instances(a=8, b=9), 30.0).stage is Stage.CONFIRMED


def test_silent_instance_is_waited_for_and_one_that_left_is_not() -> None:
    fleet = {"a": row("a", 8), "b": row("b", 7, "silent"), "c": row("c", 7, "left")}
    assert actions.observed(accepted(), fleet, 10.1).behind == ("b",)


def test_confirmation_of_another_epoch_does_not_count() -> None:
    fleet = {"a": row("a", 99, epoch="e0")}
    assert actions.observed(accepted(), fleet, 10.1).stage is Stage.PROPAGATING


def test_confirmation_is_never_lost() -> None:
    going = actions.observed(accepted(), instances(a=8, b=7), 10.1)
    assert actions.observed(going, instances(b=7), 10.2).confirmed == ("a",)


def test_without_instances_nobody_can_confirm() -> None:
    assert actions.observed(accepted(), {}, 99.0).stage is Stage.ACCEPTED


def test_asking_again_keeps_unknown_and_the_first_time() -> None:
    lost = actions.unknown(actions.sent(action(), 9.0), "timeout")
    again = actions.sent(lost, 12.0)
    assert (again.stage, again.sent_at, again.attempts) == (Stage.UNKNOWN, 9.0, 2)
