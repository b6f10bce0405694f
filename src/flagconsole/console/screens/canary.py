"""Canary: one flag's rollout on one screen: where it is, how it does, why the judge says so, and whether it arrived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from textual.widget import Widget

from flagconsole.console.screens.console_screen import ConsoleScreen, Handler
from flagconsole.console.widgets.canary import CanaryFoot, CanaryHead
from flagconsole.console.widgets.chart_wall import ChartWall
from flagconsole.console.wish import Wish


class CanaryScreen(ConsoleScreen):
    """The dashboard of one flag."""

    name_in_keymap = "canary"

    def __init__(self, flag_name: str) -> None:
        super().__init__()
        self.head = CanaryHead(flag_name)
        self.wall = ChartWall(flag_name)
        self.foot = CanaryFoot(flag_name)

    def body(self) -> Iterable[Widget]:
        """Head, charts, foot."""
        yield self.head
        yield self.wall
        yield self.foot

    def target(self) -> str | None:
        """The flag that is shown."""
        return self.wall.flag_name

    def wish(self) -> Wish:
        """Measurements, steps and looks of the flag that is shown."""
        return Wish(self.wall.flag_name, self.wall.window, story=True)

    def handlers(self) -> Mapping[str, Handler]:
        """What the dashboard's own commands do."""
        return {
            "chart.next": lambda _: self.wall.choose_next(),
            "chart.less": lambda _: self.wall.widen(-1),
            "chart.more": lambda _: self.wall.widen(1),
            "chart.zoom": lambda _: self._zoom(),
            "around": self._around,
            "rollout.next": lambda _: self._other(1),
            "rollout.previous": lambda _: self._other(-1),
            "canary_back": lambda _: self.console.back(),
            "canary_leave": lambda _: self.console.leave(),
        }

    def sheet_framed(self, height: int) -> None:
        """Criteria and verdict stay in view as far as there is room."""
        self.head.sheet_height = height
        if self.head.is_attached:
            self.head.fit()

    def close_sheet(self) -> None:
        """Take all the room again."""
        self.head.sheet_height = 0
        super().close_sheet()

    def _around(self, text: str) -> None:
        """What changed before this: all changes by closeness to the look at which the rollout failed, else to when its phase
        began, or to the time that is named."""
        rollout = self.console.state.rollouts.get(self.wall.flag_name)
        if text or rollout is None:
            self.console.handlers()["around"](text)
            return
        from flagconsole.console.screens.history import HistoryScreen

        judged = rollout.judged
        failed = judged is not None and judged.kind == "fail"
        self.app.push_screen(
            HistoryScreen(None, judged.at if judged is not None and failed else rollout.phase_started_at)
        )

    def _zoom(self) -> None:
        from flagconsole.console.screens.zoom import ZoomScreen

        self.console.push_screen(ZoomScreen(self.wall))

    def _other(self, steps: int) -> None:
        """Show the next flag with a rollout; those under way come first."""
        rollouts = self.console.state.rollouts
        names = sorted(rollouts, key=lambda name: (not rollouts[name].active, name))
        if not names:
            missing = self.console.state.rollouts_missing
            self.console.say(f"rollouts: {missing}" if missing else "no flag has a rollout")
            return
        here = names.index(self.wall.flag_name) if self.wall.flag_name in names else -1
        self.turn_to(names[(here + steps) % len(names)])

    def turn_to(self, flag_name: str) -> None:
        """Show another flag."""
        for part in (self.head, self.wall, self.foot):
            part.flag_name = flag_name
        self.wall.chosen = 0
        self.show(frozenset())

    def tick(self) -> None:
        """Ages."""
        super().tick()
        self.repaint(CanaryHead, CanaryFoot)
