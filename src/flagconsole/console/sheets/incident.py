"""What people say about an incident: what they found of a step or a point of the list, and at the end its root cause."""

from __future__ import annotations

from functools import partial

from flagconsole.console import watched_incidents
from flagconsole.console.actions import Kind
from flagconsole.console.confirmation import OTHER
from flagconsole.console.incident_view import brief_rows, impact_rows
from flagconsole.console.incidents import IncidentRow
from flagconsole.console.line import Line, cut, line, wrapped
from flagconsole.console.rows import FlagRow, Json
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.fields import Field


def to_be_said(row: IncidentRow) -> list[tuple[str, str]]:
    """What somebody can say: steps that wait, then points of the list that nobody and nothing has found well."""
    if row.run is None:
        return []
    steps = [(step.step, f"step: {step.title}") for step in row.run.steps if row.run.active and step.waits]
    points = [
        (point.name, f"verify: {point.text}") for point in row.run.points if point.result in {"", "unknown", "not_ok"}
    ]
    return steps + points


class IncidentSheet(ConfirmSheet):
    """A sheet about an incident: what it says isn't an action on the flag."""

    kind = Kind.ROLLBACK
    verb = ""

    def __init__(self, row: FlagRow, environment: str, incident: IncidentRow) -> None:
        super().__init__(row, environment)
        self.incident_id = incident.incident_id
        self.sending = False

    @property
    def incident(self) -> IncidentRow | None:
        """The incident as it is now."""
        return self.console.state.incidents.get(self.incident_id)

    def title(self) -> Line:
        """What is said about which incident."""
        return line(
            span(f"{self.verb} ", "strong"), span(self.incident_id, "strong"), span(f"  {self.row.name}", "link")
        )

    def updated(self, changed: frozenset[str]) -> None:
        """The flag may move; this is about the incident."""
        self.reframe()

    def _begin(self, reason: str) -> None:
        if not self.sending:
            self.sending = True
            self.behind(partial(self._send, reason))

    async def _send(self, reason: str) -> None:
        console = self.console
        answer = await self.ask(reason)
        if isinstance(answer, str):
            console.say(f"{self.incident_id}: not written: {answer}")
        else:
            console.publish(watched_incidents.with_incident_story(console.state, answer), frozenset())
            console.say(self.said())
        console.close_sheet()

    async def ask(self, reason: str) -> Json | str:
        """Tell the server."""
        raise NotImplementedError

    def said(self) -> str:
        """What was done, for the ledger."""
        raise NotImplementedError


class StepSheet(IncidentSheet):
    """Confirms a step that waits for a person, or a point of the list at the end."""

    verb = "CONFIRM"
    reasons = (
        "done as described",
        "was done already",
        "not needed here",
        "looked, it is well",
        "looked, it is not",
        OTHER,
    )
    does = "write it down"

    def __init__(self, row: FlagRow, environment: str, incident: IncidentRow) -> None:
        super().__init__(row, environment, incident)
        self._what = Field("WHAT", tuple(to_be_said(incident)))
        found = Field("FOUND", (("yes", "done, it is well"), ("no", "not done, it is not well")))
        # Where there is one thing to be said, there is nothing to choose.
        self.fields = [self._what, found] if len(self._what.values) > 1 else [found]

    @property
    def step(self) -> str:
        """The name of what something is said about."""
        return (self.fields[0] if len(self.fields) > 1 else self._what).value

    def facts(self, width: int) -> list[Line]:
        """Where the playbook is."""
        row = self.incident
        if row is None:
            return []
        step = None if row.run is None else next((one for one in row.run.steps if one.step == self.step), None)
        only = self._what.values[0][1] if len(self.fields) == 1 else ""
        rows = self.labelled("WHAT", only, width) if only else []
        rows += [*(cut(one, width) for one in brief_rows(row, self.console.server_now()))]
        if step is not None and step.status == "uncertain":
            rows += wrapped("it was begun, and nobody knows whether it happened: look, then say so", width, "warning")
        if step is not None and step.output:
            rows += self.labelled("OUTPUT", step.output, width)
        return rows

    async def ask(self, reason: str) -> Json | str:
        """What was found, with the note."""
        done = self.fields[-1].value == "yes"
        return await self.console.session.questions.confirm_step(self.incident_id, self.step, reason, done=done)

    def said(self) -> str:
        """Which step."""
        return f"{self.incident_id}: {self.step} is written down"


class CloseSheet(IncidentSheet):
    """Closes an incident with its root cause; what is left of its playbook isn't done any more."""

    verb = "CLOSE"
    reasons = ("a bug in the feature", "bad configuration", "a dependency failed", "false alarm", "drill", OTHER)
    does = "close it"

    def facts(self, width: int) -> list[Line]:
        """How long it took, whom it reached, what is left undone."""
        row = self.incident
        if row is None:
            return []
        rows = [*brief_rows(row, self.console.server_now()), *impact_rows(row)]
        if row.run is not None and row.run.active:
            left = [step.title for step in row.run.steps if step.status in {"pending", "started"}]
            if left:
                rows += self.labelled("LEFT", f"these steps won't be done any more: {', '.join(left)}", width)
        rows += self.labelled("ROOT", "the reason below is written down as its root cause", width)
        return rows

    async def ask(self, reason: str) -> Json | str:
        """Close it."""
        return await self.console.session.questions.close_incident(self.incident_id, reason)

    def said(self) -> str:
        """That it is closed, and what is due."""
        row = self.incident
        due = "" if row is None or not row.post_mortem_due else "; a post-mortem is due"
        return f"{self.incident_id} is closed{due}"
