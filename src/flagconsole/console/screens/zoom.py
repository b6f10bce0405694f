"""One chart over the whole screen, drawn by plotext; ``y`` copies it as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from flagconsole.console.chart_wall import Chart, newest_of, series_of, shown_groups
from flagconsole.console.figures import metric_label, with_unit
from flagconsole.console.line import BLANK, Line, joined, line
from flagconsole.console.metric_windows import WINDOWS, MetricWindow
from flagconsole.console.safe import span
from flagconsole.console.screens.console_screen import pressed
from flagconsole.console.type_ahead import passed_on
from flagconsole.console.widgets.chart_wall import ChartWall
from flagconsole.console.widgets.footer import Footer
from flagconsole.console.widgets.painted import Painted

_SCALE: Final = {"ratio": 100.0, "change": 100.0}
#: The text that is copied is as wide as an issue or a mail can bear.
EXPORT_WIDTH: Final = 100
EXPORT_HEIGHT: Final = 24


def chart_text(chart: Chart, window: MetricWindow, width: int, height: int) -> str:
    """The chart as text, with limits as lines of their own."""
    from flagconsole.console import plot

    scale = _SCALE.get(chart.kind, 1.0)
    lines = [
        plot.Line(name, [None if value is None else value * scale for value in one.values], "orange")
        for name, one in series_of(chart, window).items()
    ]
    lines += [
        plot.Line(f"limit {chart.limit_words}", [limit * scale] * len(window.starts), "red")
        for limit in chart.limits[:1]
    ]
    starts = [datetime.fromtimestamp(at, UTC) for at in window.starts]
    title = f"{window.flag_name}: {metric_label(chart.metric, chart.kind)}"
    return plot.chart(title, lines, starts, width=width, height=height, colours=False)


def export_text(chart: Chart, window: MetricWindow) -> str:
    """The chart as it is copied: with its flag, its window in UTC and the newest values."""
    since, until = (datetime.fromtimestamp(at, UTC) for at in (window.since, window.until))
    values = "  ".join(
        f"{name} {with_unit(newest_of(chart, window, name), chart.kind)}" for name in shown_groups(window)
    )
    head = f"{window.flag_name}  {since:%Y-%m-%d %H:%M:%S}Z to {until:%H:%M:%S}Z  {values}  limit {chart.limit_words or '–'}"
    return f"{head}\n{chart_text(chart, window, EXPORT_WIDTH, EXPORT_HEIGHT)}\n"


class ZoomBox(Painted):
    """The chart, as large as the screen."""

    def __init__(self, wall: ChartWall) -> None:
        super().__init__()
        self.wall = wall
        self._key: object = None

    def repaint(self) -> None:
        """Draw anew where there is something new: plotext takes its time."""
        known = self.wall.measured
        key = (
            self.wall.chosen_chart(),
            None if known is None else known.fetched_at,
            self.size,
            self.console.palette.name,
        )
        if key != self._key:
            self._key = key
            super().repaint()

    def draw(self, width: int, height: int) -> Sequence[Line]:
        """What it shows above, then the chart."""
        wall, window = self.wall, self.wall.measured
        chart = wall.chosen_chart()
        count = len(wall.charts())
        title = line(
            span(f" {metric_label(chart.metric, chart.kind)}", "strong"),
            span(f"  {wall.flag_name}  {WINDOWS[wall.window]}  {wall.chosen % count + 1}/{count}", "muted"),
        )
        if window is None:
            return [title, BLANK, line(span("  asking the server …", "muted"))]
        figures = [
            line(span(f"{name} ", "muted"), span(with_unit(newest_of(chart, window, name), chart.kind), "strong"))
            for name in shown_groups(window)
        ]
        if chart.limit_words:
            figures.append(line(span(f"limit {chart.limit_words}", "warning")))
        drawn = chart_text(chart, window, width - 2, height - 2).split("\n")
        return [title, line(" ", *joined(figures, "   ")), *(line(" ", span(row)) for row in drawn)]


class ZoomScreen(ModalScreen[None], inherit_bindings=False):
    """The zoomed chart over the dashboard."""

    AUTO_FOCUS = ""

    def __init__(self, wall: ChartWall) -> None:
        super().__init__()
        self.box = ZoomBox(wall)

    def compose(self) -> ComposeResult:
        """The chart and its keys."""
        yield self.box
        yield Footer()

    @property
    def context(self) -> str:
        """Zoomed."""
        return "zoom"

    def on_mount(self) -> None:
        """Keep it up to date."""
        self.set_interval(1.0, self.box.repaint)

    def on_key(self, event: events.Key) -> None:
        """Another chart or window, copy, close."""
        event.stop()
        event.prevent_default()
        if passed_on(self, event):
            return
        console, wall = self.box.console, self.box.wall
        command = console.keymap.resolve("zoom", pressed(event), console.powers())
        match command.id if command is not None else "":
            case "zoom.close":
                self.dismiss()
                return
            case "zoom.next":
                wall.choose_next()
            case "zoom.less":
                wall.widen(-1)
            case "zoom.more":
                wall.widen(1)
            case "zoom.copy":
                if wall.measured is not None:
                    console.copy(export_text(wall.chosen_chart(), wall.measured))
        self.box.repaint()
