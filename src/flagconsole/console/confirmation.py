"""How a change is confirmed: a reason, then ``Y`` or a typed word, by a person and not by a machine or a paste.

Pure data, without Textual. Enter, Space, pastes and a repeated key never confirm. ``Y`` counts when it was typed at least
120 ms after the sheet was painted and 120 ms after the key before it: pastes and scripts come faster, people don't. A word
counts when its letters took longer than a machine's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from flagconsole.console.text_entry import Entry

#: Seconds that must lie between the sheet's first paint, or the previous key, and the confirming one.
HUMAN_PAUSE: Final = 0.120
#: Seconds per letter that a typed word must have taken on average.
HUMAN_LETTER: Final = 0.025
#: The label of the last reason, which is typed.
OTHER: Final = "other"

TOO_FAST: Final = "press Y again: typed too fast for a person"
NEEDS_REASON: Final = "choose a reason first: it goes into the log"


class Outcome(StrEnum):
    """What a key led to."""

    CANCEL = "cancel"
    CONFIRM = "confirm"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A confirmation under way. ``word`` is what has to be typed instead of ``Y``; times are monotonic seconds.

    ``ready`` is false while what is to be confirmed can't be shown yet (a rollback's dry run); then nothing confirms.
    """

    reasons: tuple[str, ...]
    word: str | None = None
    ready: bool = True
    painted_at: float | None = None
    reason: str | None = None
    digit: int | None = None
    typing_reason: bool = False
    entry: Entry = field(default_factory=Entry)
    word_begun_at: float | None = None
    last_key_at: float | None = None
    note: str = ""

    @property
    def typing(self) -> bool:
        """Whether keys are text at the moment."""
        return self.typing_reason or (self.word is not None and self.reason is not None)


def painted(confirmation: Confirmation, at: float) -> Confirmation:
    """The confirmation once its sheet has been on screen since ``at``."""
    return confirmation if confirmation.painted_at is not None else replace(confirmation, painted_at=at)


def repainted(confirmation: Confirmation, *, ready: bool, note: str = "") -> Confirmation:
    """The confirmation when what it is about has changed on screen: the user has to see it before ``Y`` counts again."""
    return replace(confirmation, ready=ready, painted_at=None, note=note)


def replace_word(confirmation: Confirmation, word: str | None) -> Confirmation:
    """The confirmation with another word to type, or ``Y`` again: what was typed of the one before doesn't count."""
    if word == confirmation.word:
        return confirmation
    return replace(confirmation, word=word, entry=Entry(), word_begun_at=None)


def cancelled(confirmation: Confirmation) -> Confirmation:
    """The confirmation after Esc while typing a reason: back to the digits."""
    return replace(confirmation, typing_reason=False, entry=Entry(), note="")


def choose(confirmation: Confirmation, digit: int, at: float) -> Confirmation:
    """The confirmation after the digit of a reason. The last one is typed."""
    confirmation = replace(confirmation, last_key_at=at, note="")
    if not 1 <= digit <= len(confirmation.reasons):
        return replace(confirmation, note=f"reasons are 1 to {len(confirmation.reasons)}")
    if confirmation.reasons[digit - 1] == OTHER:
        return replace(confirmation, digit=digit, typing_reason=True, entry=Entry(), reason=None)
    return replace(confirmation, digit=digit, reason=confirmation.reasons[digit - 1], entry=Entry())


def confirm(confirmation: Confirmation, at: float) -> tuple[Confirmation, Outcome | None]:
    """What ``Y`` does at ``at``."""
    before, confirmation = confirmation.last_key_at, replace(confirmation, last_key_at=at)
    if confirmation.reason is None:
        return replace(confirmation, note=NEEDS_REASON), None
    if not confirmation.ready:
        return confirmation, None
    since = [at - moment for moment in (before, confirmation.painted_at) if moment is not None]
    if confirmation.painted_at is None or min(since) < HUMAN_PAUSE:
        return replace(confirmation, note=TOO_FAST), None
    return confirmation, Outcome.CONFIRM


def type_key(
    confirmation: Confirmation, key: str, character: str | None, at: float
) -> tuple[Confirmation, Outcome | None]:
    """What a key does while a reason or the confirming word is typed. Enter takes a reason; it never confirms."""
    confirmation = replace(confirmation, last_key_at=at, note="")
    if confirmation.typing_reason:
        return _type_reason(confirmation, key, character), None
    if key == "enter":
        # The word's last letter sends it; Enter only says that what stands there isn't the word.
        return replace(confirmation, note=f"that isn't {confirmation.word}: nothing was sent"), None
    entry = confirmation.entry.press(key, character)
    if entry is None:
        return confirmation, None
    if not entry.text:
        if not confirmation.entry.text and key == "backspace":
            return replace(confirmation, reason=None, digit=None, word_begun_at=None), None
        return replace(confirmation, entry=entry, word_begun_at=None), None
    begun = confirmation.word_begun_at if confirmation.entry.text else at
    confirmation = replace(confirmation, entry=entry, word_begun_at=begun)
    if entry.text != confirmation.word or not confirmation.ready or confirmation.painted_at is None:
        return confirmation, None
    if begun is None or at - begun < HUMAN_LETTER * (len(entry.text) - 1) or at - confirmation.painted_at < HUMAN_PAUSE:
        note = "too fast for a person: type it again"
        return replace(confirmation, entry=Entry(), word_begun_at=None, note=note), None
    return confirmation, Outcome.CONFIRM


def paste(confirmation: Confirmation, text: str, at: float) -> Confirmation:
    """A paste helps with writing a reason and does nothing else."""
    confirmation = replace(confirmation, last_key_at=at)
    if confirmation.typing_reason:
        return replace(confirmation, entry=confirmation.entry.insert(text))
    return replace(confirmation, note="a paste confirms nothing: type it")


def _type_reason(confirmation: Confirmation, key: str, character: str | None) -> Confirmation:
    if key == "enter":
        text = confirmation.entry.text.strip()
        if not text:
            return replace(confirmation, note="the log needs a reason: type a few words")
        return replace(confirmation, typing_reason=False, reason=text, entry=Entry())
    entry = confirmation.entry.press(key, character)
    return confirmation if entry is None else replace(confirmation, entry=entry)
