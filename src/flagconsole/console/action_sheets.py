"""Opens the sheet of each action that changes a flag or its rollout; where there is nothing to do it says so instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from flagconsole.console import undoing
from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.rows import FlagRow
from flagconsole.console.screens.console_screen import Handler
from flagconsole.console.suggesting import failing_reason
from flagconsole.console.undoing import WAY_BACK, undoable
from flagconsole.console.widgets.env_bar import acted_in
from flagconsole.domain.states import FlagState

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp
    from flagconsole.console.sheets.sheet import Sheet


class ActionSheets:
    """The actions' commands. ``target`` gives the flag that a command's argument means, or says that there is none."""

    def __init__(self, app: ConsoleApp, target: Callable[[str | None], FlagRow | None]) -> None:
        self._app = app
        self._target = target

    def handlers(self) -> Mapping[str, Handler]:
        """What the commands do, by id."""
        return {
            "kill": self._open_kill,
            "rollback": self._open_rollback,
            "revive": self._open_revive,
            "promote": self._open_promote,
            "hold": self._open_hold,
            "override": self._open_override,
            "set": self._open_set,
            "start": self._open_start,
            "undo": lambda _: self._open_undo(),
        }

    def _open_kill(self, argument: str) -> None:
        from flagconsole.console.sheets.kill import KillSheet

        row = self._target(argument)
        if row is not None:
            why = failing_reason(self._app.state, row.name, self._app.server_now())
            self._open(KillSheet(row, self._environment, why))

    def _open_rollback(self, argument: str) -> None:
        from flagconsole.console.sheets.rollback import RollbackSheet

        row = self._target(argument)
        if row is not None:
            rollout = self._app.state.rollouts.get(row.name)
            judged = rollout.judged if rollout is not None and rollout.active else None
            why = failing_reason(self._app.state, row.name, self._app.server_now())
            self._open(RollbackSheet(row, self._environment, why, "" if judged is None else judged.playbook))

    def _open_revive(self, argument: str) -> None:
        from flagconsole.console.sheets.revive import ReviveSheet

        row = self._target(argument)
        if row is None:
            return
        if row.state is not FlagState.KILL:
            self._app.say(f"{row.name} is not killed (it is {row.setting}): there is nothing to revive")
            return
        self._open(ReviveSheet(row, self._environment))

    @property
    def _environment(self) -> str:
        return acted_in(self._app.state.connection.environment, self._app.place)

    def _open(self, sheet: Sheet) -> None:
        self._app.console_screen.open_sheet(sheet)

    def _rollout(self, row: FlagRow) -> RolloutRow | None:
        """The flag's rollout under way; where there is none, that is said."""
        rollout = self._app.state.rollouts.get(row.name)
        if rollout is None or not rollout.active:
            missing = self._app.state.rollouts_missing
            killed = row.state is FlagState.KILL
            next_step = "it is killed, and V clears that" if killed else "B begins one"
            known = f"{row.name} has no rollout under way; {next_step}"
            self._app.say(f"whether {row.name} has a rollout: {missing}" if missing else known)
            return None
        return rollout

    def _open_promote(self, argument: str) -> None:
        from flagconsole.console.sheets.promote import PromoteSheet

        row = self._target(argument)
        if row is not None and self._rollout(row) is not None:
            self._open(PromoteSheet(row, self._environment))

    def _open_hold(self, argument: str) -> None:
        from flagconsole.console.sheets.hold import HoldSheet

        row = self._target(argument)
        rollout = None if row is None else self._rollout(row)
        if row is not None and rollout is not None:
            self._open(HoldSheet(row, self._environment, rollout))

    def _open_override(self, argument: str) -> None:
        from flagconsole.console.sheets.override import OverrideSheet, OverrideTenantSheet

        row, tenant = self._target(argument), self._app.state.tenant
        if row is None:
            return
        if tenant is None:
            self._open(OverrideTenantSheet(row, self._environment))
            return
        own = self._app.state.overrides.get(row.name, {}).get(tenant)
        self._open(OverrideSheet(row, self._environment, tenant, own))

    def _open_set(self, argument: str) -> None:
        from flagconsole.console.sheets.set_state import SetSheet

        row = self._target(argument)
        if row is not None and row.state is FlagState.KILL:
            self._app.say(f"{row.name} is killed: only a revive (V) clears that")
        elif row is not None:
            self._open(SetSheet(row, self._environment))

    def _open_start(self, argument: str) -> None:
        from flagconsole.console.sheets.start import StartSheet

        row = self._target(argument)
        rollout = None if row is None else self._app.state.rollouts.get(row.name)
        if row is not None and rollout is not None and rollout.active:
            self._app.say(f"{row.name} has a rollout under way already: H holds or ends it")
        elif row is not None and row.state is FlagState.KILL:
            self._app.say(f"{row.name} is killed: V revives it, to off; then B begins a rollout")
        elif row is not None:
            self._open(StartSheet(row, self._environment))

    def _open_undo(self) -> None:
        from flagconsole.console.sheets.rollback import RollbackSheet

        action = undoable(self._app.state, self._app.server_now())
        row = None if isinstance(action, str) else self._app.state.flags.get(action.flag_name)
        if isinstance(action, str) or row is None:
            self._app.say(action if isinstance(action, str) else "that flag is archived")
            return
        match WAY_BACK[action.kind]:
            case undoing.REVIVE:
                self._open_revive(row.name)
            case undoing.HOLD:
                self._open_hold(row.name)
            case _:
                self._open(RollbackSheet(row, self._environment, undo_of=action))
