"""The table of changes, and one change in full."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from flagconsole.console.ages import ago_words, moment_text
from flagconsole.console.arrival import CANT_CONFIRM, arrival, names
from flagconsole.console.glyphs import ARROW, DONE, FAILED
from flagconsole.console.line import Line, cell, cells, line, wrapped
from flagconsole.console.rows import ChangeRow
from flagconsole.console.safe import Span, span
from flagconsole.console.state import ConsoleState
from flagconsole.console.widgets.list_table import ListTable
from flagconsole.console.widgets.virtual_table import Column, heading_line
from flagconsole.domain.moment import offset_text

#: The words of the log are too long for these.
_VERB: Final = {"override_removed": "removed", "override_expired": "expired"}
_VERB_ROLE: Final = {"killed": "state_kill", "revived": "warning", "rolled_back": "warning"}


def verb_of(row: ChangeRow) -> str:
    """What a change did, in at most twelve letters, in the words of the log: ``killed``, ``rolled back``."""
    return _VERB.get(row.action, row.action.replace("_", " "))


def what_of(row: ChangeRow, width: int | None = None) -> str:
    """From what to what, and for whom where it is one tenant's. Where that takes more than ``width`` cells, what both have in
    common is said once: what it became is told before anything is cut."""
    before, after = row.before, row.after
    if before == after:
        what = _fields_text(row) or after
    else:
        what = f"{before} {ARROW} {after}"
        if width is not None and cells(what) > width and before.startswith("canary ") and after.startswith("canary "):
            unit = " %" if before.endswith(" %") and after.endswith(" %") else ""
            what = f"{before.removesuffix(unit)} {ARROW} {after.removeprefix('canary ')}"
    return f"{what} ({row.tenant_id})" if row.tenant_id is not None else what


def _fields_text(row: ChangeRow) -> str:
    return ", ".join(f"{name} {before} {ARROW} {after}" for name, before, after in row.fields[:2])


def columns_of(width: int, *, with_flag: bool, around: bool, marking: bool = False) -> list[Column]:
    """The columns that changes have in ``width`` cells, before those that don't fit give way."""
    wide = width >= 110
    flag = (
        [Column("flag", "FLAG", 32 if width >= 150 else 26 if wide else 20, most=48 if width >= 150 else 0)]
        if with_flag
        else []
    )
    near = [Column("near", "NEAR", 5, right=True)] if around else []
    mark = [Column("mark", "", 1)] if marking else []
    return [
        *mark,
        *near,
        Column("number", "#", 7 if wide else 5, spare=3),
        Column("when", "WHEN", 11),
        Column("who", "WHO", 14 if wide else 10, spare=1),
        Column("did", "DID", 12),
        *flag,
        Column("what", "FROM → TO", 26 if wide else 20, most=40 if width >= 150 else 26),
        Column("why", "WHY", 12, grows=True, spare=2),
    ]


class ChangeTable(ListTable[int, ChangeRow]):
    """Changes by their numbers. ``rows`` holds them; ``around`` is the moment that they are ranked by, if any."""

    NOTHING = "no change"
    WAY_OUT = "Esc shows all, o fetches older"

    def __init__(self, on_move: Callable[[], None]) -> None:
        super().__init__(on_move)
        self.rows: Mapping[int, ChangeRow] = {}
        self.around: float | None = None
        self.with_flag = True
        self.marked: frozenset[int] = frozenset()

    @property
    def current(self) -> ChangeRow | None:
        """The change under the cursor."""
        return None if self.selected is None else self.rows.get(self.selected)

    def columns(self, width: int) -> Sequence[Column]:
        """Number, when, who, what and why; how near where they are ranked by a moment."""
        ranked = self.around is not None
        return columns_of(width, with_flag=self.with_flag, around=ranked, marking=bool(self.marked))

    def heading(self, shape: Sequence[Column]) -> Line:
        """The columns' names."""
        return heading_line(shape, "near" if self.around is not None else "when")

    def found(self, key: int) -> ChangeRow | None:
        """One change."""
        return self.rows.get(key)

    def cell_of(self, row: ChangeRow, column: Column) -> Span:
        """What it says in a column."""
        width = column.width
        match column.id:
            case "mark":
                return cell(DONE if row.change_id in self.marked else " ", width, "warning")
            case "near":
                return cell(offset_text(row.at - (self.around or 0.0)), width, "strong", right=True)
            case "number":
                return cell(f"#{row.change_id}", width, "muted")
            case "when":
                return cell(moment_text(row.at, self.console.server_now()), width, "muted")
            case "who":
                who = f"! {row.who}" if row.break_glass else row.who
                return cell(who, width, "warning" if row.break_glass else "plain")
            case "did":
                return cell(verb_of(row), width, _VERB_ROLE.get(row.action, "plain"))
            case "flag":
                return cell(row.flag_name, width, "strong")
            case "what":
                return cell(what_of(row, width), width)
            case _:
                return cell(row.reason, width, "muted")

    def none_yet(self) -> Sequence[Line]:
        """That there are none."""
        return [line(span("  no change is known here yet", "muted"))]


class Integrity(NamedTuple):
    """What can be said of a change's place in the chain: whether its content gives its hash, and whether the change before
    it bears the hash that it names (None where that one isn't held here)."""

    intact: bool | None
    follows: bool | None

    @classmethod
    def of(cls, row: ChangeRow, before: ChangeRow | None) -> Integrity:
        """Look at a change and the one before it."""
        return cls(row.intact, None if before is None or not before.hash else before.hash == row.previous_hash)

    def words(self, row: ChangeRow) -> Line:
        """In one row."""
        if self.intact is None:
            return line(span("chain", "header"), span("  the hash isn't known here: the entry came in short", "muted"))
        if not self.intact:
            return line(
                span(f"{FAILED} BROKEN", "danger"), f"  the entry's content does not give its hash {row.hash[:12]}…"
            )
        if self.follows is False:
            return line(
                span(f"{FAILED} BROKEN", "danger"), f"  entry #{row.change_id - 1} has another hash than this names"
            )
        link = (
            f"follows {row.previous_hash[:8]}…" if self.follows else f"names {row.previous_hash[:8]}… as the one before"
        )
        return line(
            span(f"{DONE} chain", "good"), span(f"  content gives {row.hash[:8]}…, {link}   v checks all", "muted")
        )


def entry_lines(state: ConsoleState, row: ChangeRow, before: ChangeRow | None, width: int, now: float) -> list[Line]:
    """One change in full."""
    whose = f" for {row.tenant_id}" if row.tenant_id is not None else ""
    kind = row.change_type.replace("_", " ")
    rows = [
        line(
            span(f"#{row.change_id} ", "muted"),
            span(row.action.replace("_", " "), _VERB_ROLE.get(row.action, "strong")),
            " ",
            span(row.flag_name, "strong"),
            span(f"{whose}  {row.before} {ARROW} {row.after}"),
        ),
        line(
            span(f"by {row.who}"),
            span(f" · {kind} · {moment_text(row.at, now)}Z, {ago_words(now - row.at)} · v{row.version}", "muted"),
        ),
        *wrapped(f"“{row.reason}”", width, "plain", most=2),
        *_rights_lines(row),
        _receipts(state, row),
        Integrity.of(row, before).words(row),
    ]
    if row.reverts:
        rows.append(line(span("undoes ", "header"), ", ".join(f"#{item}" for item in row.reverts)))
    if row.correlation:
        rows.append(line(span("one of a set ", "header"), span(row.correlation, "muted")))
    own = next(
        (
            action
            for action in state.ledger
            # A second kill has the first one's revision, and changed nothing.
            if action.changed and action.revision == row.change_id and action.epoch == state.epoch
        ),
        None,
    )
    if own is not None:
        rows.append(line(span("sent from here ", "header"), span(f"Idempotency-Key {own.key}", "muted")))
    for name, was, is_now in row.fields:
        rows.append(line(span("  "), cell(name, 22, "muted"), span(was), f" {ARROW} ", span(is_now, "strong")))
    return rows


def _rights_lines(row: ChangeRow) -> list[Line]:
    """Under which rights it was made, and whose consent, where either is out of the ordinary."""
    rows = []
    if row.break_glass:
        rows.append(line(span("! under break-glass ", "warning"), span(row.break_glass, "muted")))
    if row.allowed_by:
        rows.append(line(span("allowed by ", "header"), span(row.allowed_by)))
    return rows


def _receipts(state: ConsoleState, row: ChangeRow) -> Line:
    found = arrival(state.instances.values(), state.epoch, row.change_id)
    if not any(found):
        return line(span("receipts", "header"), span("  no running SDK is known", "muted"))
    count = f"{len(found.confirmed)}/{found.able}"
    told = span(f"; {len(found.told)} {CANT_CONFIRM}" if found.told else "", "warning")
    if not found.behind:
        return line(span(f"{DONE} {count}", "good"), " running SDKs have it", told)
    return line(
        span(f"! {count}", "warning"),
        span(" running SDKs have it"),
        told,
        "; behind: ",
        span(names(found.behind), "warning"),
    )


def change_text(row: ChangeRow) -> str:
    """One change as text, for the clipboard."""
    rows = [
        f"#{row.change_id} {row.action} {row.flag_name}"
        + (f" for {row.tenant_id}" if row.tenant_id is not None else ""),
        f"{row.before} {ARROW} {row.after}",
        f"by {row.who} ({row.change_type}): {row.reason}",
        *([f"under break-glass {row.break_glass}"] if row.break_glass else []),
        *([f"allowed by {row.allowed_by}"] if row.allowed_by else []),
        f"hash {row.hash}",
    ]
    return "\n".join([*rows, *(f"{name}: {was} {ARROW} {is_now}" for name, was, is_now in row.fields)])
