"""The base of the sheets that change the world: a bound target, a reason, a confirmation, then the action's progress."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Action, Kind, Stage
from flagconsole.console.confirmation import Confirmation, Outcome
from flagconsole.console.glyphs import ARROW, CURSOR
from flagconsole.console.keymap import Command
from flagconsole.console.line import BLANK, Line, joined, line, line_width, wrapped
from flagconsole.console.progress import VERB, progress_lines
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.sheet import Sheet
from flagconsole.console.widgets.env_bar import environment_word


class ConfirmSheet(Sheet):
    """A sheet for one action on one flag. Environment, flag and version are bound when it opens and never follow the
    cursor; if the flag moves meanwhile, the sheet says so."""

    kind: ClassVar[Kind]
    reasons: ClassVar[tuple[str, ...]]
    #: What ``Y`` does, in the sheet and the footer.
    does: ClassVar[str]

    def __init__(self, row: FlagRow, environment: str, *, word: str | None = None, ready: bool = True) -> None:
        super().__init__()
        self.row = row
        self.environment = environment
        self.confirmation = Confirmation(self.reasons, word=word, ready=ready)
        self.action_key: str | None = None
        self.moved = ""

    # what a subclass says

    def facts(self, width: int) -> Sequence[Line]:
        """What the action would do: shown before anything can be sent."""
        raise NotImplementedError

    # the sheet

    @property
    def context(self) -> str:
        """Progress once it is sent; typing while a reason or a word is typed; else confirming."""
        if self.action_key is not None:
            return "progress"
        return "typing" if self.confirmation.typing else "confirm"

    @property
    def action(self) -> Action | None:
        """The action, once it has begun."""
        return next((action for action in self.console.state.ledger if action.key == self.action_key), None)

    def offers(self, command: Command) -> bool:
        """``Y`` only where it is what confirms, Enter only where it takes a reason."""
        confirmation = self.confirmation
        if command.id == "sheet.confirm":
            return confirmation.word is None and confirmation.ready
        return command.id != "sheet.word" or confirmation.typing_reason

    def title(self) -> Line:
        """The verb, the flag, the environment."""
        where = environment_word(self.environment) or "an unnamed environment"
        risk = "   HIGH RISK" if self.confirmation.word is not None and self.kind is Kind.KILL else ""
        return line(
            span(VERB[self.kind], "danger" if self.kind is Kind.KILL else "strong"),
            " ",
            span(self.row.name, "strong"),
            span(f"  in {where}"),
            span(risk if self.action_key is None else "", "danger"),
        )

    def closing_note(self) -> str:
        """Whether anything was sent."""
        if self.action_key is None:
            return "Esc cancel · nothing sent yet"
        action = self.action
        done = action is not None and action.stage in {Stage.CONFIRMED, Stage.REJECTED}
        return "done" if done else "closing hides it: it goes on in the ledger"

    def body(self, width: int) -> list[Line]:
        """Facts, reasons and how to confirm; or the progress."""
        action = self.action
        if self.action_key is not None:
            return [] if action is None else progress_lines(action, width, self.console.clock.monotonic())
        rows = [*self.facts(width)]
        if self.moved:
            rows.append(line(span(f"! {self.moved}", "warning")))
        rows += [BLANK, *self._reason_lines(width), BLANK, self._prompt()]
        return rows

    def _reason_lines(self, width: int) -> list[Line]:
        confirmation = self.confirmation
        rows: list[Line] = [line(span("REASON", "header"), span("  required, goes into the log", "faint"))]
        current: Line = ()
        for number, reason in enumerate(self.reasons, start=1):
            chosen = confirmation.digit == number
            label = reason if reason != confirming.OTHER else "other: type"
            mark = CURSOR if chosen else " "
            part = line(span(f"{mark}{number} ", "key"), span(label, "strong" if chosen else "plain"))
            candidate = joined([current, part], " ")
            if current and line_width(candidate) > width:
                rows.append(current)
                candidate = part
            current = candidate
        rows.append(current)
        return rows

    def _prompt(self) -> Line:
        confirmation = self.confirmation
        note = line(span(f"   {confirmation.note}", "warning")) if confirmation.note else ()
        if confirmation.typing_reason:
            return line(*confirmation.entry.line("reason> ", hint="a few words, then ⏎"), *note)
        if not confirmation.ready:
            return line(span("nothing can be confirmed yet", "muted"), *note)
        if confirmation.word is not None and confirmation.reason is not None:
            hint = f"type {confirmation.word} to {self.does}"
            return line(*confirmation.entry.line(f"{confirmation.word}> ", hint=hint), *note)
        if confirmation.reason is not None:
            said = span(f"   “{confirmation.reason}”", "muted", limit=40)
            return line(span("Y", "key"), " ", span(self.does, "strong"), said, *note)
        then = f"type {confirmation.word}" if confirmation.word is not None else f"Y {self.does}"
        return line(span(f"1–{len(self.reasons)}", "key"), " reason", span(f"   then {then}", "muted"), *note)

    def on_mount(self) -> None:
        """Take the height that is needed, and remember when it was painted: keys that were typed before don't count."""
        super().on_mount()
        self.call_after_refresh(self.mark_painted)

    def mark_painted(self) -> None:
        """Note that what is to be confirmed is on screen now."""
        self.confirmation = confirming.painted(self.confirmation, self.console.clock.monotonic())

    # keys

    def run(self, command: Command, key: str, event: events.Key) -> None:
        """Reason, confirmation, cancelling, hiding."""
        at = self.console.clock.pressed_at(event)
        match command.id:
            case "sheet.cancel" | "sheet.stop_typing" | "sheet.hide":
                self.console.close_sheet()
                return
            case "sheet.reason":
                self.confirmation = confirming.choose(self.confirmation, command.keys.index(key) + 1, at)
            case "sheet.confirm":
                self._take(confirming.confirm(self.confirmation, at))
            case "sheet.word":
                self._take(confirming.type_key(self.confirmation, "enter", None, at))
        self._after_key()

    def typed(self, event: events.Key) -> None:
        """Text while typing; anything else only shows that somebody is pressing keys."""
        at = self.console.clock.pressed_at(event)
        if self.context == "typing":
            self._take(confirming.type_key(self.confirmation, event.key, event.character, at))
        elif self.context == "confirm":
            self.confirmation = replace(self.confirmation, last_key_at=at)
        self._after_key()

    def pasted(self, text: str) -> None:
        """A paste writes a reason and confirms nothing."""
        if self.action_key is None:
            self.confirmation = confirming.paste(self.confirmation, text, self.console.clock.monotonic())
            self._after_key()

    def _take(self, result: tuple[Confirmation, Outcome | None]) -> None:
        self.confirmation, outcome = result
        if outcome is Outcome.CONFIRM and self.action_key is None and self.confirmation.reason is not None:
            self._begin(self.confirmation.reason)

    def _after_key(self) -> None:
        if self.is_attached:
            self.reframe()
            self.console.keys_changed()

    def _begin(self, reason: str) -> None:
        action = Action(
            key=str(uuid.uuid4()),
            kind=self.kind,
            flag_name=self.row.name,
            environment=self.environment,
            reason=reason,
            version=self.row.version,
            before=self.row.setting,
            begun_at=self.console.server_now(),
        )
        self.action_key = action.key
        self.console.session.begin(action)

    # the world moving on

    def updated(self, changed: frozenset[str]) -> None:
        """Say it when the bound flag has moved on; what was confirmed is then looked at again."""
        if self.action_key is None and self.row.name in changed:
            now = self.console.state.flags.get(self.row.name)
            if now is None:
                self.moved = "the flag was archived meanwhile"
                self.confirmation = confirming.repainted(self.confirmation, ready=False)
            elif now.version != self.row.version:
                who = now.last.who if now.last is not None else "somebody"
                self.moved = f"changed meanwhile by {who}: now v{now.version}, {now.setting}"
                self.flag_moved(now)
        self.reframe()

    def flag_moved(self, now: FlagRow) -> None:
        """The flag changed while the sheet was open: show it, and let ``Y`` count again only after that."""
        self.confirmation = confirming.repainted(self.confirmation, ready=self.confirmation.ready)
        self.call_after_refresh(self.mark_painted)

    def from_to(self, after: str) -> Line:
        """The row that says what becomes what."""
        return line(span(f"{self.row.setting} (v{self.row.version})", "strong"), f" {ARROW} ", span(after, "strong"))

    def labelled(self, label: str, text: Line | str, width: int) -> list[Line]:
        """A fact with its label; long ones continue below their first word."""
        head = span(f"{label:<7}", "header")
        if isinstance(text, tuple):
            return [line(head, *text)]
        first, *rest = wrapped(text, width - 7, most=3)
        return [line(head, *first), *(line(span(" " * 7), *row) for row in rest)]
