"""How a confirmation is drawn: its reasons by digit, and what to press next."""

from __future__ import annotations

from flagconsole.console.confirmation import OTHER, Confirmation
from flagconsole.console.glyphs import CURSOR
from flagconsole.console.line import Line, joined, line, line_width
from flagconsole.console.safe import span


def reason_rows(confirmation: Confirmation, suggested: int | None, width: int) -> list[Line]:
    """The reasons with their digits, the chosen one marked; the ``suggested`` one says so, and is chosen by nobody."""
    rows: list[Line] = [line(span("REASON", "header"), span("  required, goes into the log", "faint"))]
    current: Line = ()
    for number, reason in enumerate(confirmation.reasons, start=1):
        chosen = confirmation.digit == number
        label = reason if reason != OTHER else "other: type"
        mark = CURSOR if chosen else " "
        hint = span("  ◂ suggested", "warning") if number == suggested else span("")
        part = line(span(f"{mark}{number} ", "key"), span(label, "strong" if chosen else "plain"), hint)
        candidate = joined([current, part], " ")
        if current and line_width(candidate) > width:
            rows.append(current)
            candidate = part
        current = candidate
    rows.append(current)
    return rows


def prompt_line(confirmation: Confirmation, does: str) -> Line:
    """What to press next; ``does`` is what the confirmation leads to."""
    note = line(span(f"   {confirmation.note}", "warning")) if confirmation.note else ()
    if confirmation.typing_reason:
        return line(*confirmation.entry.line("reason> ", hint="a few words, then ⏎"), *note)
    if not confirmation.ready:
        return line(span("nothing can be confirmed yet", "muted"), *note)
    if confirmation.word is not None and confirmation.reason is not None:
        hint = "" if confirmation.note else f"type {confirmation.word} to {does}, without ⏎"
        return line(*confirmation.entry.line(f"{confirmation.word}> ", hint=hint), *note)
    if confirmation.reason is not None:
        said = span(f"   “{confirmation.reason}”", "muted", limit=40)
        return line(span("Y", "key"), " ", span(does, "strong"), said, *note)
    then = f"type {confirmation.word}" if confirmation.word is not None else f"Y {does}"
    return line(span(f"1–{len(confirmation.reasons)}", "key"), " reason", span(f"   then {then}", "muted"), *note)
