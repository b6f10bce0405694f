"""The override sheet: one tenant's own state, for good or until a time; or away with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagconsole.console import confirmation as confirming
from flagconsole.console.actions import Asked, Kind
from flagconsole.console.ages import moment_text
from flagconsole.console.confirmation import OTHER
from flagconsole.console.glyphs import ARROW
from flagconsole.console.impact import last_part
from flagconsole.console.line import Line, line
from flagconsole.console.raising import raises_for_tenant
from flagconsole.console.rows import FlagRow, OverrideRow
from flagconsole.console.safe import span
from flagconsole.console.sheets.confirm_sheet import ConfirmSheet
from flagconsole.console.sheets.fields import Field
from flagconsole.console.sheets.tenant import TenantSheet
from flagconsole.console.widgets.detail import evaluation_words, state_span
from flagconsole.console.widgets.env_bar import is_production
from flagconsole.domain.evaluation import OverrideRule
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp

REMOVE: Final = "remove"
#: How long an override can last, in seconds; None is for good.
LASTS: Final = (("1h", 3600), ("8h", 28_800), ("24h", 86_400), ("7d", 604_800), ("for good", None))


class OverrideSheet(ConfirmSheet):
    """Gives one tenant its own state."""

    kind = Kind.OVERRIDE
    reasons = ("customer asked for it", "customer report", "pilot", "debugging", "drill", OTHER)
    versioned = True

    def __init__(self, row: FlagRow, environment: str, tenant_id: str, own: OverrideRow | None) -> None:
        super().__init__(row, environment)
        self.tenant_id = tenant_id
        self.own = own
        states = [(name, name) for name in ("off", "shadow", "canary", "on")]
        if own is not None:
            states.append((REMOVE, "take it away"))
        self.fields = [
            Field("STATE", tuple(states)).at(own.state.value if own is not None else "off"),
            Field("UNTIL", tuple((name, name) for name, _ in LASTS)).at("24h"),
        ]

    @property
    def does(self) -> str:  # type: ignore[override]
        """What ``Y`` does."""
        return "take it away" if self.removes else "set it"

    @property
    def removes(self) -> bool:
        """Whether the override goes."""
        return self.fields[0].value == REMOVE

    @property
    def lasts(self) -> int | None:
        """For how many seconds; None is for good."""
        return dict(LASTS)[self.fields[1].value]

    def on_mount(self) -> None:
        """Guard what raises."""
        super().on_mount()
        self.field_changed()

    def field_changed(self) -> None:
        """In production a tenant gets more only by a typed name."""
        guarded = raises_for_tenant(self._now(), self._after()) and is_production(self.environment)
        word = last_part(self.row.name) if guarded else None
        self.confirmation = confirming.replace_word(self.confirmation, word)

    def _now(self) -> FlagState:
        state = self.console.state
        return state.ruleset.evaluate(self.row.name, self.tenant_id, self.console.server_now()).state

    def _after(self) -> FlagState:
        """What the tenant would get: dependencies and a kill still count."""
        ruleset, now = self.console.state.ruleset, self.console.server_now()
        own = None if self.removes else OverrideRule(FlagState(self.fields[0].value))
        changed = ruleset.with_override(ruleset.revision, self.row.name, self.tenant_id, own)
        return changed.evaluate(self.row.name, self.tenant_id, now).state

    def asked(self) -> Asked:
        """Tenant, state, expiry."""
        if self.removes:
            return Asked(tenant_id=self.tenant_id, remove=True)
        until = None if self.lasts is None else self.console.server_now() + self.lasts
        return Asked(state=self.fields[0].value, tenant_id=self.tenant_id, expires_at=until)

    def facts(self, width: int) -> list[Line]:
        """Who, what it gets now and why, what it would get, until when."""
        console, now = self.console, self.console.server_now()
        state = console.state
        outcome = state.ruleset.evaluate(self.row.name, self.tenant_id, now)
        name = state.tenant_names.get(self.tenant_id)
        after = self._after()
        rows = [
            line(
                span(self.tenant_id, "strong"),
                span(f"  {name}" if name else "  (not a known tenant)", "muted" if name else "warning"),
            ),
            line(
                state_span(outcome.state),
                span(f"  {evaluation_words(outcome, self.row.percentage, self.row.cohort)}", "muted"),
                f"  {ARROW} ",
                state_span(after),
            ),
        ]
        if not self.removes and after.value != self.fields[0].value:
            rows.append(line(span("! a kill or a dependency keeps it from more than that", "warning")))
        if self.own is not None:
            rows += self.labelled("OWN", f"{self.own.state.value} by {self.own.who}: “{self.own.reason}”", width)
        if not self.removes and self.lasts is not None:
            rows += self.labelled(
                "UNTIL", f"{moment_text(now + self.lasts, now)}Z; then it has no effect any more", width
            )
        return rows


class OverrideTenantSheet(TenantSheet):
    """Asks for which tenant, then opens the override sheet."""

    def __init__(self, row: FlagRow, environment: str) -> None:
        super().__init__()
        self.row = row
        self.environment = environment

    def title(self) -> Line:
        """What is chosen."""
        return line(span("OVERRIDE ", "strong"), span(self.row.name, "strong"), "  for which tenant?")

    def chosen(self, console: ConsoleApp, tenant_id: str | None) -> None:
        """Open the sheet for the tenant."""
        if tenant_id:
            own = console.state.overrides.get(self.row.name, {}).get(tenant_id)
            console.console_screen.open_sheet(OverrideSheet(self.row, self.environment, tenant_id, own))
