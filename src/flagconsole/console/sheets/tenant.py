"""The tenant chooser: type an id or a name, and each flag shows what that tenant gets, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from flagconsole.console.glyphs import CURSOR
from flagconsole.console.keymap import Command
from flagconsole.console.line import Line, line
from flagconsole.console.safe import span
from flagconsole.console.sheets.sheet import Sheet
from flagconsole.console.state import ConsoleState
from flagconsole.console.text_entry import Entry

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp

MATCHES = 6


def matching_tenants(state: ConsoleState, typed: str, most: int = MATCHES) -> list[str]:
    """The known tenants whose id or name holds what was typed; those whose id begins with it first."""
    wanted = typed.strip().casefold()
    begins: list[str] = []
    holds: list[str] = []
    for tenant in state.tenants:
        key = tenant.casefold()
        if key.startswith(wanted):
            begins.append(tenant)
        elif len(holds) < most and (wanted in key or wanted in state.tenant_names.get(tenant, "").casefold()):
            holds.append(tenant)
        if len(begins) >= most:
            break
    return (begins + holds)[:most]


class TenantSheet(Sheet):
    """Chooses a tenant."""

    def __init__(self) -> None:
        super().__init__()
        self.entry = Entry()
        self.marked = 0

    @property
    def context(self) -> str:
        """Choosing."""
        return "choice"

    def title(self) -> Line:
        """What is chosen."""
        return line(span("TENANT", "strong"), "  whose effective states are shown")

    def closing_note(self) -> str:
        """How to leave."""
        return "⏎ choose · empty ⏎ none · Esc close"

    def body(self, width: int) -> Sequence[Line]:
        """What is typed, and the tenants that match."""
        state = self.console.state
        names = matching_tenants(state, self.entry.text)
        rows = [self.entry.line("tenant> ", hint="an id, or a part of a name")]
        for index, tenant in enumerate(names):
            mark = CURSOR if index == self.marked and self.entry.text else " "
            rows.append(
                line(span(f"{mark} ", "key"), span(tenant, "strong"), span(f"  {state.tenant_names[tenant]}", "muted"))
            )
        if not names:
            rows.append(line(span("  no known tenant matches; ⏎ asks for it all the same", "muted")))
        rows.extend([()] * (MATCHES + 1 - len(rows)))
        return rows

    def run(self, command: Command, key: str, event: events.Key) -> None:
        """Choose, mark another, or close."""
        names = matching_tenants(self.console.state, self.entry.text)
        match command.id:
            case "choice.take":
                typed = self.entry.text.strip()
                chosen = names[self.marked] if typed and self.marked < len(names) else typed
                console = self.console
                console.close_sheet()
                self.chosen(console, typed if typed in console.state.tenants else chosen or None)
                return
            case "choice.close":
                self.console.close_sheet()
                return
            case "choice.complete":
                if self.marked < len(names):
                    self.entry, self.marked = Entry.of(names[self.marked]), 0
            case "choice.down":
                self.marked = min(max(0, len(names) - 1), self.marked + 1)
            case "choice.up":
                self.marked = max(0, self.marked - 1)
        self.reframe()

    def chosen(self, console: ConsoleApp, tenant_id: str | None) -> None:
        """Use the tenant, or none: the sheet is closed already."""
        console.choose_tenant(tenant_id)

    def typed(self, event: events.Key) -> None:
        """Type on."""
        entry = self.entry.press(event.key, event.character)
        if entry is not None:
            self.entry, self.marked = entry, 0
            self.reframe()

    def pasted(self, text: str) -> None:
        """Pasting an id is what one does with ids."""
        self.entry, self.marked = self.entry.insert(text.strip()), 0
        self.reframe()
