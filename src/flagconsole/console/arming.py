"""An armed kill: decided on while there was no connection, asked for again when it is back, never sent by itself.

It lives in this process only, for five minutes. Nothing here, and nothing that calls this, sends anything: the sheet that
asks again does, after another ``Y``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from flagconsole.console.rows import ChangeRow, FlagRow
from flagconsole.console.state import ConsoleState, Phase

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp

#: Seconds for which a kill stays armed.
ARMED_SECONDS: Final = 300.0


class Armed(NamedTuple):
    """A kill that was armed, with what was known then. ``at`` is monotonic, ``clock_at`` the server's time of day."""

    row: FlagRow
    environment: str
    reason: str
    epoch: str
    revision: int
    at: float
    clock_at: float

    @property
    def expires_at(self) -> float:
        """When it is forgotten, in monotonic seconds."""
        return self.at + ARMED_SECONDS

    @property
    def clock_expires_at(self) -> float:
        """The same by the server's time of day."""
        return self.clock_at + ARMED_SECONDS


def changes_since(armed: Armed, state: ConsoleState) -> tuple[ChangeRow, ...]:
    """What happened to the flag since it was armed, oldest first, as far as the history at hand reaches."""
    return tuple(
        change
        for change in reversed(state.history)
        if change.flag_name == armed.row.name and change.change_id > armed.revision
    )


class Arming:
    """The one armed kill of an app."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self.armed: Armed | None = None
        self._asked = False

    def arm(self, armed: Armed) -> None:
        """Keep it for five minutes."""
        self.armed, self._asked = armed, False
        self._app.say(f"armed: kill {armed.row.name}; nothing was sent, it asks again when connected")
        self._app.paint()

    def drop(self, why: str) -> None:
        """Forget it."""
        armed, self.armed = self.armed, None
        if armed is not None:
            self._app.say(f"the armed kill of {armed.row.name} {why}: nothing was sent")
            self._app.paint()

    def taken(self) -> None:
        """It was confirmed again and is an action of its own now."""
        self.armed = None

    def tick(self) -> None:
        """Forget it when its time is over; ask about it once the connection is back and nothing else is being asked."""
        app, armed = self._app, self.armed
        if armed is None:
            return
        if app.clock.monotonic() >= armed.expires_at:
            self.drop("has expired")
            return
        live = app.state.connection.phase is Phase.LIVE
        if not live:
            self._asked = False
        elif not self._asked and not app.sheet_open:
            self._asked = True
            app.traveller.back()
            self.ask()

    def ask(self) -> None:
        """Open the sheet that shows what changed since, and asks."""
        from flagconsole.console.sheets.armed import ArmedSheet

        armed = self.armed
        if armed is not None:
            row = self._app.state.flags.get(armed.row.name)
            if row is None:
                self.drop("is of a flag that is gone")
            else:
                self._app.console_screen.open_sheet(ArmedSheet(row, armed))

    def words(self) -> str:
        """What the banner says of it; empty where nothing is armed."""
        armed = self.armed
        if armed is None:
            return ""
        from flagconsole.console.ages import age_text, clock_text

        left = age_text(max(0.0, armed.expires_at - self._app.clock.monotonic()))
        return f"ARMED kill {armed.row.name} · until {clock_text(armed.clock_expires_at)}Z ({left}) · not sent"
