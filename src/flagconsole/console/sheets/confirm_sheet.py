"""The base of the sheets that change the world: a bound target, a reason, a confirmation, then the action's progress."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import NOTHING_MORE, Action, Asked, Kind, Stage
from flagconsole.console.ages import ago_words
from flagconsole.console.confirmation import Confirmation, Outcome
from flagconsole.console.effects import judged_value, metric_for
from flagconsole.console.glyphs import ARROW
from flagconsole.console.incidents import of_flag
from flagconsole.console.keymap import Command
from flagconsole.console.line import BLANK, Line, joined, line, line_width, wrapped
from flagconsole.console.progress import VERB, progress_lines
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirming import prompt_line, reason_rows
from flagconsole.console.sheets.fields import Field
from flagconsole.console.sheets.sheet import Sheet, broken
from flagconsole.console.undoing import HOLD, REVIVE, ROLLBACK, WAY_BACK, undo_left, undoable
from flagconsole.console.widgets.env_bar import environment_word

#: What ``U`` opens, by the way back that an action has.
_UNDONE_BY = {
    REVIVE: "clears the kill: a revive, to off",
    ROLLBACK: "takes it back",
    HOLD: "takes it back, by the hold sheet",
}


class ConfirmSheet(Sheet):
    """A sheet for one action on one flag. Environment, flag and version are bound when it opens and never follow the
    cursor; if the flag moves meanwhile, the sheet says so."""

    kind: Kind
    reasons: tuple[str, ...]
    #: What ``Y`` does, in the sheet and the footer.
    does: str
    #: Whether the request carries the version that it was decided on: then a flag that moved is looked at anew.
    versioned: ClassVar[bool] = False

    def __init__(self, row: FlagRow, environment: str, *, word: str | None = None, ready: bool = True) -> None:
        super().__init__()
        self.row = row
        self.environment = environment
        self.confirmation = Confirmation(self.reasons, word=word, ready=ready)
        self.action_key: str | None = None
        self.moved = ""
        #: Why the server wouldn't take what is chosen; nothing is asked for then.
        self.refusal = ""
        #: Whether nothing can come of this sheet any more: what it was about has gone.
        self.over = False
        #: The digit of the reason that is suggested, and never chosen by itself.
        self.suggested: int | None = None
        self.fields: list[Field] = []
        self.field = 0
        #: The tenants that were counted; others may come while the sheet is open.
        self._tenants: tuple[str, ...] | None = None

    # what a subclass says

    def asked(self) -> Asked:
        """What the action asks for beside its reason."""
        return NOTHING_MORE

    def field_changed(self) -> None:
        """Another value was chosen: work out anew what it would do."""

    def waits_for(self) -> str:
        """Why nothing can be confirmed yet."""
        return "the server is being asked what it would do"

    def after_rows(self, width: int) -> Sequence[Line]:
        """What is shown below the action's own progress."""
        return ()

    def facts(self, width: int) -> Sequence[Line]:
        """What the action would do: shown before anything can be sent."""
        raise NotImplementedError

    # the sheet

    @property
    def context(self) -> str:
        """Progress once it is sent; typing while a reason or a word is typed; else confirming."""
        if self.action_key is not None:
            return "progress"
        # The word is typed once it can confirm something: until then keys mean what they say, such as ticking.
        typing = self.confirmation.typing_reason or (self.confirmation.typing and self.confirmation.ready)
        return "typing" if typing and not self.refused else "confirm"

    @property
    def refused(self) -> bool:
        """Whether what is chosen can't be done: then no reason and no confirmation are asked for."""
        return bool(self.refusal) or self.over

    @property
    def action(self) -> Action | None:
        """The action, once it has begun."""
        return next((action for action in self.console.state.ledger if action.key == self.action_key), None)

    def offers(self, command: Command) -> bool:
        """``Y`` only where it is what confirms, Enter only where it takes a reason."""
        confirmation = self.confirmation
        if command.id == "sheet.confirm":
            return confirmation.word is None and confirmation.ready
        if command.id == "sheet.incident":
            return of_flag(self.console.state.incidents, self.row.name) is not None
        if command.id == "sheet.again":
            return self._outdated() is not None
        if command.id == "sheet.undo":
            return self.undo_seconds > 0
        if command.id in {"sheet.more", "sheet.less"}:
            return any(len(field.values) > 1 for field in self.fields)
        if command.id in {"sheet.next", "sheet.previous"}:
            return len(self.fields) > 1
        if command.id == "sheet.reason":
            return not self.refused
        if command.context == "confirm" and command.id != "sheet.cancel":
            return False
        return command.id != "sheet.word" or confirmation.typing_reason

    def takes(self, command: Command) -> bool:
        """``Y`` too where it can't confirm yet: it says why."""
        return self.offers(command) or (command.id == "sheet.confirm" and not self.refused)

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
            return f"Esc cancel · {self.sent_note()}"
        action = self.action
        done = action is not None and action.stage in {Stage.CONFIRMED, Stage.REJECTED}
        return "done" if done else "closing hides it: it goes on in the ledger"

    def sent_note(self) -> str:
        """Until the action has begun."""
        return "nothing sent yet" if self.action_key is None else ""

    def body(self, width: int) -> list[Line]:
        """What is chosen, what that does, reasons and how to confirm; or the progress."""
        action = self.action
        if self.action_key is not None:
            return [] if action is None else self._progress(action, width)
        return [*self._above(width), BLANK, *self._below(width)]

    def _above(self, width: int) -> list[Line]:
        rows = [field.line(width, here=place == self.field) for place, field in enumerate(self.fields)]
        rows += self.facts(width)
        if self.moved:
            rows += wrapped(f"! {self.moved}", width, "warning", most=2)
        return rows

    def _below(self, width: int) -> list[Line]:
        confirmation = self.confirmation
        if self.refused:
            other = any(len(field.values) > 1 for field in self.fields)
            nothing = line(span("nothing to confirm: nothing of it would be done", "muted"))
            way = line(span("← →", "key"), " another value may do") if other and not self.over else BLANK
            note = line(span(confirmation.note, "warning")) if confirmation.note else BLANK
            row = joined([nothing, way, note], "   ")
            return [row] if line_width(row) <= width else [part for part in (nothing, way, note) if part]
        return [*reason_rows(confirmation, self.suggested, width), BLANK, prompt_line(confirmation, self.does)]

    def draw(self, width: int, height: int) -> list[Line]:
        """The frame. Where room is short, blank rows go first, then the heading of the reasons and then the last facts: how to
        confirm is always seen."""
        rows, room = broken(self.body(width - 4), width - 4), height - 2
        if len(rows) > room and self.action_key is None:
            below = broken([row for row in self._below(width - 4) if row], width - 4)
            above = broken(self._above(width - 4), width - 4)
            if len(above) + len(below) > room and not self.refused:
                below = below[1:]
            if len(above) + len(below) > room:
                hidden = len(above) + len(below) - room + 1
                above = [
                    *above[:-hidden],
                    line(span(f"and {hidden} more rows: they need a higher terminal", "warning")),
                ]
            rows = [*above, *below]
        return self.boxed(rows, width, height)

    def _progress(self, action: Action, width: int) -> list[Line]:
        after = self.after_rows(width)
        after = [*after, *self._undo_rows(action)]
        rows = progress_lines(action, width, self.console.clock.monotonic())
        if after and len(rows) + len(after) > self.console.size.height - 8:
            # There isn't room for all: the instances are named in one row.
            rows = progress_lines(action, width, self.console.clock.monotonic(), 1)
        now = self._outdated()
        if now is not None:
            rows += wrapped(f"! {_moved_words(self.row, now)}", width, "warning", most=2)
            rows.append(line(span("a", "key"), " look again at what is there now; nothing is sent by that"))
        return [*rows, *after]

    @property
    def undo_seconds(self) -> float:
        """For how long ``U`` takes this action back; 0 where it doesn't."""
        action = undoable(self.console.state, self.console.server_now())
        if isinstance(action, str) or action.key != self.action_key:
            return 0.0
        return undo_left(action, self.console.server_now())

    def _undo_rows(self, action: Action) -> list[Line]:
        left = self.undo_seconds
        if not left:
            return []
        does = _UNDONE_BY.get(WAY_BACK[action.kind], "takes it back")
        return [line(span("U", "key"), f" {does}", span(f"   for {left:.0f} s more", "muted"))]

    def _outdated(self) -> FlagRow | None:
        """The flag as it is now, where the action was refused and somebody else had changed it."""
        action, now = self.action, self.console.state.flags.get(self.row.name)
        if action is None or action.stage is not Stage.REJECTED or now is None or now.version == self.row.version:
            return None
        return now

    def look_again(self, now: FlagRow) -> None:
        """Begin anew with the flag as it is now: it is shown what changed, and reason and confirmation are asked again."""
        self.moved = _moved_words(self.row, now)
        self.row, self.action_key = now, None
        before = self.confirmation
        self.confirmation = Confirmation(self.reasons, word=before.word, ready=before.ready)
        self.field_changed()
        self.call_after_refresh(self.mark_painted)

    def on_mount(self) -> None:
        """Take the height that is needed, and remember when it was painted: keys that were typed before don't count."""
        super().on_mount()
        self._tenants = self.console.state.tenants
        self.call_after_refresh(self.mark_painted)

    def mark_painted(self) -> None:
        """Note that what is to be confirmed is on screen now."""
        self.confirmation = confirming.painted(self.confirmation, self.console.clock.monotonic())

    def seen_anew(self) -> None:
        """What is to be confirmed was out of view: keys count from now on, as after the first painting."""
        if self.action_key is None:
            ready, note = self.confirmation.ready, self.confirmation.note
            self.confirmation = confirming.repainted(self.confirmation, ready=ready, note=note)
            self.call_after_refresh(self.mark_painted)

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
                if not self.confirmation.ready and self.action_key is None and not self.confirmation.note:
                    self.confirmation = replace(self.confirmation, note=self.waits_for())
            case "sheet.word":
                self._take(confirming.type_key(self.confirmation, "enter", None, at))
            case "sheet.more" | "sheet.less" if self.fields:
                self._move_value(1 if command.id == "sheet.more" else -1, at)
            case "sheet.next" | "sheet.previous" if len(self.fields) > 1:
                self.field = (self.field + (1 if command.id == "sheet.next" else -1)) % len(self.fields)
            case "sheet.incident":
                console = self.console
                console.close_sheet()
                console.handlers()["incidents"](self.row.name)
                return
            case "sheet.undo":
                console = self.console
                console.close_sheet()
                console.handlers()["undo"]("")
                return
            case "sheet.again":
                now = self._outdated()
                if now is not None:
                    self.look_again(now)
            case _:
                self.run_own(command, at)
        self._after_key()

    def run_own(self, command: Command, at: float) -> None:
        """Do what a key of this very sheet means."""

    def _move_value(self, steps: int, at: float) -> None:
        """Choose another value; what is to be confirmed is another thing then, so it has to be seen first."""
        moved = self.fields[self.field].moved(steps)
        if moved == self.fields[self.field]:
            return
        self.fields[self.field] = moved
        self.confirmation = replace(
            confirming.repainted(self.confirmation, ready=self.confirmation.ready), last_key_at=at
        )
        self.field_changed()
        self.call_after_refresh(self.mark_painted)

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

    def draft(self, reason: str) -> Action:
        """The action as it would be begun now."""
        rollout = self.console.state.rollouts.get(self.row.name)
        metric = metric_for(self.kind, rollout, reason)
        return Action(
            key=str(uuid.uuid4()),
            kind=self.kind,
            flag_name=self.row.name,
            environment=self.environment,
            reason=reason,
            version=self.row.version,
            before=self.row.setting,
            begun_at=self.console.server_now(),
            asked=self.asked(),
            metric=metric,
            judged=judged_value(metric, rollout),
        )

    def _begin(self, reason: str) -> None:
        action = self.draft(reason)
        self.action_key = action.key
        self.console.session.begin(action)

    # the world moving on

    def updated(self, changed: frozenset[str]) -> None:
        """Say it when the bound flag has moved on; what was confirmed is then looked at again."""
        if self.action_key is None:
            self._count_others()
        if self.action_key is None and self.row.name in changed:
            now = self.console.state.flags.get(self.row.name)
            if now is None:
                self.moved, self.over = "the flag was archived meanwhile", True
                self.confirmation = confirming.repainted(self.confirmation, ready=False)
            elif now.version != self.row.version:
                if self.versioned:
                    self.look_again(now)
                else:
                    self.moved = "" if self.is_own(now) else _moved_words(self.row, now)
                    self.flag_moved(now)
        self.reframe()

    def _count_others(self) -> None:
        """Where the known tenants are others than those that were counted, count anew; ``Y`` counts once that was seen."""
        before, self._tenants = self._tenants, self.console.state.tenants
        if before is not None and before is not self._tenants:
            self.tenants_changed()

    def tenants_changed(self) -> None:
        """Other tenants are known than when this was opened."""
        self.field_changed()

    def flag_moved(self, now: FlagRow) -> None:
        """The flag changed while the sheet was open: show it, and let ``Y`` count again only after that."""
        self.confirmation = confirming.repainted(self.confirmation, ready=self.confirmation.ready)
        self.call_after_refresh(self.mark_painted)

    def is_own(self, now: FlagRow) -> bool:
        """Whether what moved the flag is what this sheet is about, seen a moment late: nobody came in between."""
        return False

    def incident_rows(self, width: int) -> list[Line]:
        """The incident that the action joins; a kill or rollback opens one where there is none."""
        known = of_flag(self.console.state.incidents, self.row.name)
        if known is not None and known.completed_at is None:
            ago = ago_words(self.console.server_now() - known.started_at)
            return self.labelled("INCID.", f"joins {known.incident_id}, begun {ago}: {known.trigger}", width)
        return []

    def from_to(self, after: str) -> Line:
        """The row that says what becomes what."""
        return line(span(f"{self.row.setting} (v{self.row.version})", "strong"), f" {ARROW} ", span(after, "strong"))

    def labelled(self, label: str, text: Line | str, width: int) -> list[Line]:
        """A fact with its label; long ones continue below their first word."""
        size = max(7, len(label) + 1)
        head = span(f"{label:<{size}}", "header")
        if isinstance(text, tuple):
            return [line(head, *text)]
        first, *rest = wrapped(text, width - size, most=3)
        return [line(head, *first), *(line(span(" " * size), *row) for row in rest)]


def _moved_words(before: FlagRow, now: FlagRow) -> str:
    """What somebody else has changed, and why."""
    who = now.last.who if now.last is not None else "somebody"
    why = f": “{now.last.reason}”" if now.last is not None and now.last.reason else ""
    return (
        f"changed meanwhile by {who}: now v{now.version}, {now.setting}"
        f" (you looked at v{before.version}, {before.setting}){why}"
    )
