"""What confirms a change, and what never does."""

from __future__ import annotations

import dataclasses

import pytest

from flagconsole.console import confirmation as confirming
from flagconsole.console.confirmation import HUMAN_PAUSE, Confirmation, Outcome
from flagconsole.console.text_entry import Entry

REASONS = ("error rate", "latency", "other")


def painted(**more: object) -> Confirmation:
    return dataclasses.replace(confirming.painted(Confirmation(REASONS), 10.0), **more)  # type: ignore[arg-type]


def typed(confirmation: Confirmation, text: str, at: float, gap: float = 0.15) -> tuple[Confirmation, Outcome | None]:
    outcome = None
    for character in text:
        confirmation, outcome = confirming.type_key(confirmation, character, character, at)
        at += gap
    return confirmation, outcome


def test_reason_then_y_confirms() -> None:
    chosen = confirming.choose(painted(), 1, 10.5)
    assert chosen.reason == "error rate"
    assert confirming.confirm(chosen, 11.0)[1] is Outcome.CONFIRM


def test_y_without_reason_says_what_is_missing() -> None:
    after, outcome = confirming.confirm(painted(), 11.0)
    assert outcome is None
    assert "reason" in after.note


@pytest.mark.parametrize("gap", [0.0, 0.05, 0.119])
def test_y_right_after_another_key_is_a_machines(gap: float) -> None:
    chosen = confirming.choose(painted(), 1, 10.5)
    after, outcome = confirming.confirm(chosen, 10.5 + gap)
    assert outcome is None
    assert after.note == confirming.TOO_FAST
    assert confirming.confirm(after, 10.5 + gap + HUMAN_PAUSE + 0.001)[1] is Outcome.CONFIRM


def test_y_before_the_sheet_was_painted_does_not_count() -> None:
    chosen = confirming.choose(Confirmation(REASONS), 1, 10.0)
    assert confirming.confirm(chosen, 20.0)[1] is None
    chosen = confirming.painted(chosen, 20.0)
    assert confirming.confirm(dataclasses.replace(chosen, last_key_at=10.0), 20.1)[1] is None
    assert confirming.confirm(dataclasses.replace(chosen, last_key_at=10.0), 20.2)[1] is Outcome.CONFIRM


def test_what_changed_on_screen_must_be_seen_again() -> None:
    chosen = confirming.choose(painted(), 1, 10.5)
    moved = confirming.repainted(chosen, ready=True)
    assert confirming.confirm(moved, 12.0)[1] is None
    assert confirming.confirm(confirming.painted(moved, 13.0), 13.5)[1] is Outcome.CONFIRM


def test_not_ready_never_confirms() -> None:
    chosen = confirming.choose(painted(ready=False), 1, 10.5)
    assert confirming.confirm(chosen, 12.0)[1] is None


def test_last_reason_is_typed_and_enter_only_takes_it() -> None:
    typing = confirming.choose(painted(), 3, 10.5)
    assert typing.typing_reason
    typing, outcome = typed(typing, "fire in rack 4", 11.0)
    typing, outcome = confirming.type_key(typing, "enter", None, 14.0)
    assert (typing.reason, outcome) == ("fire in rack 4", None)
    assert not typing.typing


def test_empty_typed_reason_is_none() -> None:
    typing = confirming.choose(painted(), 3, 10.5)
    typing, _ = confirming.type_key(typing, "enter", None, 11.0)
    assert typing.reason is None
    assert typing.typing_reason


def test_word_confirms_when_it_is_complete() -> None:
    chosen = confirming.choose(painted(word="write"), 1, 10.5)
    after, outcome = typed(chosen, "writ", 11.0)
    assert outcome is None
    assert confirming.type_key(after, "e", "e", 12.0)[1] is Outcome.CONFIRM


def test_word_that_is_wrong_or_followed_by_enter_does_not() -> None:
    chosen = confirming.choose(painted(word="write"), 1, 10.5)
    after, outcome = typed(chosen, "wrote", 11.0)
    assert outcome is None
    assert confirming.type_key(after, "enter", None, 13.0)[1] is None


def test_word_from_a_machine_does_not_count() -> None:
    chosen = confirming.choose(painted(word="write"), 1, 10.5)
    after, outcome = typed(chosen, "write", 11.0, gap=0.001)
    assert outcome is None
    assert after.entry == Entry()
    assert "type it again" in after.note


def test_paste_writes_a_reason_and_confirms_nothing() -> None:
    chosen = confirming.choose(painted(word="write"), 1, 10.5)
    after = confirming.paste(chosen, "write", 11.0)
    assert after.entry.text == ""
    typing = confirming.paste(confirming.choose(painted(), 3, 10.5), "see\x1b[2J", 11.0)
    assert typing.entry.text == "see\\u{1b}[2J"


def test_backspace_on_an_empty_word_goes_back_to_the_reasons() -> None:
    chosen = confirming.choose(painted(word="write"), 1, 10.5)
    after, _ = confirming.type_key(chosen, "backspace", None, 11.0)
    assert after.reason is None
