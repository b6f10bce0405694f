"""The fleet's charts: how the flag under the cursor goes, where there is room for more than a sparkline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagconsole.console.verdicts import FAIL
from flagconsole.console.widgets.chart_wall import ChartWall
from flagconsole.console.widgets.flag_table import PASSING

if TYPE_CHECKING:
    from flagconsole.console.chart_wall import Chart

#: What is drawn first where nothing fails.
USUAL: Final = ("error_rate", "latency_p95", "operations")


class FleetCharts(ChartWall):
    """One row of charts of the selected flag, what fails first."""

    def __init__(self) -> None:
        super().__init__("")
        self._following = False

    def repaint(self) -> None:
        """Follow the cursor once it rests; until then the charts say whose they are."""
        if self.display and self.flag_name != (self.console.state.selected or "") and not self._following:
            self._following = True
            self.set_timer(PASSING, self._follow)
        if self.display and self.flag_name:
            super().repaint()

    def _follow(self) -> None:
        self._following = False
        self.flag_name = self.console.state.selected or ""
        super().repaint()

    def charts(self) -> list[Chart]:
        """What fails first, then errors and latency: the others have the dashboard."""
        usual = {metric: place for place, metric in enumerate(USUAL)}
        return sorted(super().charts(), key=lambda chart: (chart.outcome != FAIL, usual.get(chart.metric, len(usual))))

    def _layout(self, width: int, height: int) -> tuple[int, int]:
        return (2 if width < 150 else 3), 1

    def place_words(self, number: int, total: int, across: int) -> str:
        """Whose chart it is."""
        return self.flag_name
