"""Flag detail: everything known of one flag, in tabs that digits open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

from textual.widget import Widget

from flagconsole.console.flag_facts import FlagFacts, enabled_tenants, named
from flagconsole.console.line import Line, line
from flagconsole.console.log import Log
from flagconsole.console.rows import FlagRow
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.tabs import Tab, tab_line
from flagconsole.console.widgets.change_table import change_text
from flagconsole.console.widgets.detail import title_lines
from flagconsole.console.widgets.flag_tabs import TAB_LINES, tab_counts
from flagconsole.console.widgets.painted import Painted

#: Changes of a flag that are fetched at once when its versions are looked at.
PAGE: Final = 20
NO_PART: Final = "it is not part of the draw"


class FlagDetailBody(Painted):
    """Title, tabs, and the open tab's rows as far as they are scrolled."""

    def __init__(self, screen: FlagDetailScreen) -> None:
        super().__init__()
        self._detail = screen
        self.top = 0
        self.at_end = False

    def draw(self, width: int, height: int) -> list[Line]:
        """What is scrolled into view, under the title and the tabs."""
        facts = self._detail.facts()
        if facts is None:
            return [line(" ", span(self._detail.flag_name, "strong"), span("  is archived", "warning"))]
        tab = self._detail.tab
        head = [line(" ", *row) for row in title_lines(facts.row, width - 2)]
        head += [tab_line(tab, tab_counts(facts), width), line(span("─" * width, "faint"))]
        rows = TAB_LINES[tab](facts, width - 2)
        room = max(1, height - len(head))
        self.at_end = self.top >= len(rows) - room
        self.top = max(0, min(self.top, len(rows) - room))
        seen = [line(" ", *row) for row in rows[self.top : self.top + room]]
        below = len(rows) - self.top - room
        if below > 0:
            seen[-1] = line(span(f" ↓ {below + 1} more rows: j, PgDn", "muted"))
        return [*head, *seen]


class FlagDetailScreen(ConsoleScreen):
    """One flag."""

    name_in_keymap = "detail"

    def __init__(self, name: str, tab: Tab = Tab.RULES) -> None:
        super().__init__()
        self.flag_name = name
        self.tab = tab
        self.rows_shown = FlagDetailBody(self)
        self._answers: dict[tuple[Tab, str, int, str | None], object] = {}
        self._asked: set[tuple[Tab, str, int, str | None]] = set()
        self._asking_older = False
        self._history: Log | None = None

    def body(self) -> Iterable[Widget]:
        """The tabs."""
        yield self.rows_shown

    def target(self) -> str | None:
        """The flag that is shown."""
        return self.flag_name

    # what is shown

    @property
    def _row(self) -> FlagRow | None:
        return self.console.state.flags.get(self.flag_name)

    def facts(self) -> FlagFacts | None:
        """What the tabs show; None once the flag is archived."""
        console, row = self.console, self._row
        if row is None:
            return None
        changes = tuple(self._log().rows(console.state.history))
        facts = FlagFacts(console.state, row, console.server_now(), console.impact_of(row.name), changes)
        answer = self._answers.get(self._question())
        if answer is None:
            return facts
        match self.tab:
            case Tab.COHORT:
                return facts._replace(cohort=answer)  # type: ignore[arg-type]
            case Tab.JSON:
                return facts._replace(json=answer)  # type: ignore[arg-type]
            case Tab.TEST:
                return facts._replace(placement=answer)  # type: ignore[arg-type]
            case _:
                return facts

    def copyable(self) -> str:
        """What the open tab is about: the tenants that have the feature by name, the changes, the JSON."""
        facts = self.facts()
        if facts is None:
            return self.flag_name
        match self.tab:
            case Tab.JSON if isinstance(facts.json, dict):
                return json.dumps(facts.json, indent=2)
            case Tab.VERSIONS:
                return "\n\n".join(map(change_text, facts.changes))
            case Tab.OVERRIDES:
                own = facts.state.overrides.get(facts.row.name, {}).values()
                return (
                    "\n".join(f"{item.tenant_id}\t{item.state.value}\t{item.reason}" for item in own) or facts.row.name
                )
            case Tab.RULES | Tab.COHORT:
                have = enabled_tenants(facts.state, facts.row.name, facts.now)
                return f"{facts.row.name}: {len(have)} tenants have it\n{named(facts.state, have)}"
            case _:
                return facts.row.name

    # what is asked

    def _question(self) -> tuple[Tab, str, int, str | None]:
        """What the open tab asks the server: again whenever the flag has another version, or another tenant is chosen."""
        row = self._row
        tenant = self.console.state.tenant if self.tab is Tab.TEST else None
        return self.tab, self.flag_name, row.version if row is not None else 0, tenant

    def _log(self) -> Log:
        if self._history is None:
            self._history = Log(self.console.session.questions)
        self._history.choose(self.flag_name)
        return self._history

    def _ask(self) -> None:
        """Ask for what the open tab shows and isn't known yet; each thing once."""
        if self.tab is Tab.VERSIONS and len(self._log().rows(self.console.state.history)) < PAGE:
            self._ask_older()
        question = self._question()
        asks = {Tab.COHORT, Tab.JSON} if self.console.state.tenant is None else {Tab.COHORT, Tab.JSON, Tab.TEST}
        if self.tab in asks and question not in self._asked and self.console.state.loaded:
            self._asked.add(question)
            self.background(partial(self._answer, question), group="answer")

    def _ask_older(self) -> None:
        log = self._log()
        if log.more and not log.full and not self._asking_older:
            self._asking_older = True
            self.background(self._older, group="older")

    async def _older(self) -> None:
        try:
            await self._log().fetch_older(self.console.state.history)
        finally:
            self._asking_older = False
        self.rows_shown.repaint()

    async def _answer(self, question: tuple[Tab, str, int, str | None]) -> None:
        tab, name, _, tenant = question
        questions = self.console.session.questions
        if tab is Tab.COHORT:
            self._answers[question] = await questions.cohort(name)
        elif tab is Tab.JSON:
            self._answers[question] = await questions.flag_json(name)
        elif tenant is not None:
            found = await questions.placement(name, tenant)
            self._answers[question] = (
                found if isinstance(found, str) else found.tenants[0] if found.tenants else NO_PART
            )
        if isinstance(self._answers.get(question), str):
            self._asked.discard(question)  # the next look at the tab asks again
        self.rows_shown.repaint()

    # what is done

    def handlers(self) -> Mapping[str, Handler]:
        """What the detail's own commands do."""
        return {
            "detail.down": lambda _: self._scroll(1),
            "detail.up": lambda _: self._scroll(-1),
            "detail.page_down": lambda _: self._scroll(self.rows_shown.size.height - 6),
            "detail.page_up": lambda _: self._scroll(6 - self.rows_shown.size.height),
            "next_flag": lambda _: self._other(1),
            "previous_flag": lambda _: self._other(-1),
            "tab": self._open_tab,
            "next_tab": lambda _: self._go_tab(list(Tab)[self.tab.number % len(Tab)]),
            "detail_back": lambda _: self.console.back(),
            "detail_leave": lambda _: self.console.leave(),
        }

    def show(self, changed: frozenset[str]) -> None:
        """Paint, and ask for what is missing."""
        super().show(changed)
        if self._question() not in self._answers:
            self._ask()

    def _open_tab(self, number: str) -> None:
        found = next((tab for tab in Tab if str(tab.number) == number), None)
        if found is None:
            self.console.say(f"there are the tabs 1 to {len(Tab)}")
        else:
            self._go_tab(found)

    def _go_tab(self, tab: Tab) -> None:
        self.tab = tab
        self._ask()
        self.rows_shown.top = 0
        self.show(frozenset())

    def _scroll(self, rows: int) -> None:
        self.rows_shown.top += rows
        self.rows_shown.repaint()
        if self.tab is Tab.VERSIONS and self.rows_shown.at_end:
            self._ask_older()

    def _other(self, rows: int) -> None:
        self.console.move_selection(rows)
        self.flag_name = self.console.state.selected or self.flag_name
        self.rows_shown.top = 0
        self.show(frozenset())

    def tick(self) -> None:
        """Ages."""
        super().tick()
        self.rows_shown.repaint()
