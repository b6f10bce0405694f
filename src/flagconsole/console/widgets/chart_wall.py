"""The wall of charts: those of one flag, as many as fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagconsole.console.line import BLANK, Line, pad
from flagconsole.console.metric_windows import USUAL_WINDOW, WINDOWS, MetricWindow
from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.state import Phase
from flagconsole.console.widgets.painted import Painted

if TYPE_CHECKING:
    from flagconsole.console.chart_wall import Chart

#: A chart lower than this says nothing.
LEAST_CHART: Final = 7
#: From this width on four charts have room beside each other, where there are so many.
WIDE: Final = 200
#: Seconds until the next chart that is out of date is drawn: never all of them at once.
TURN: Final = 0.03


class ChartWall(Painted):
    """The charts of one flag. ``chosen`` is the one that Tab moved to, ``window`` the seconds that they show.

    Charts are kept as they were drawn; one that is out of date is drawn anew, one a turn. What didn't change costs nothing.
    """

    def __init__(self, flag_name: str) -> None:
        super().__init__()
        self.flag_name = flag_name
        self.chosen = 0
        self.window = USUAL_WINDOW
        #: Each box as it was drawn, with what it was drawn from.
        self._boxes: dict[int, tuple[object, MetricWindow | None, list[Line]]] = {}
        self._key: object = None
        self._waiting = False
        #: The numbers of charts that somebody waits for: they don't wait for their turn.
        self._at_once: set[int] = set()

    # what is shown

    @property
    def rollout(self) -> RolloutRow | None:
        """The rollout whose criteria are drawn."""
        return self.console.state.rollouts.get(self.flag_name)

    @property
    def measured(self) -> MetricWindow | None:
        """The measurements, where they are of the chosen window."""
        found = self.console.state.metrics.get(self.flag_name)
        return found if found is not None and found.window == self.window else None

    def charts(self) -> list[Chart]:
        """All charts, in their order."""
        from flagconsole.console.chart_wall import charts_of

        return charts_of(self.rollout, self.measured)

    def chosen_chart(self) -> Chart:
        """The chart that is zoomed and exported."""
        charts = self.charts()
        return charts[self.chosen % len(charts)]

    def choose_next(self) -> None:
        """Go to the next chart."""
        before, self.chosen = self.chosen, (self.chosen + 1) % len(self.charts())
        self._at_once = {before, self.chosen}
        self.repaint()

    def widen(self, steps: int) -> None:
        """Show a longer window, or a shorter one where negative."""
        windows = list(WINDOWS)
        place = windows.index(self.window) + steps
        self.window = windows[max(0, min(len(windows) - 1, place))]
        self.repaint()

    # drawing

    def _layout(self, width: int, height: int) -> tuple[int, int]:
        across = 1 if width < 100 else 2 if width < 160 else 3
        if width >= WIDE and len(self.charts()) > 2 * across:
            across += 1
        # No second row of boxes that nothing is drawn in.
        needed = -(-len(self.charts()) // across)
        return across, max(1, min(2 if across > 1 else 1, height // LEAST_CHART, needed))

    def _shown(self, width: int, height: int) -> tuple[list[tuple[int, Chart]], int, int]:
        """The charts in view with their numbers, and how many stand beside and below each other."""
        charts = self.charts()
        across, down = self._layout(width, height)
        room = across * down
        first = self.chosen % len(charts) // room * room
        return list(enumerate(charts))[first : first + room], across, down

    def repaint(self) -> None:
        """Draw anew, where something is other than it was."""
        key = self._seen_key()
        if key != self._key:
            self._key = key
            super().repaint()

    def _seen_key(self) -> object:
        shown, across, down = self._shown(*self.size)
        known = self.measured
        at = None if known is None else (id(known), known.fetched_at, known.window)
        look = (self.size, self.console.palette.name, self.flag_name, self.missing_words())
        return (tuple(shown), across, down, at, self.chosen, *look)

    def _redraw(self) -> None:
        self._waiting = False
        super().repaint()

    def draw(self, width: int, height: int) -> list[Line]:
        """The charts in view."""
        if height < 4 or self.flag_name not in self.console.state.flags:
            return []
        shown, across, down = self._shown(width, height)
        total = len(self.charts())
        tall, rest = divmod(height, down)
        budget = 1
        rows: list[Line] = []
        for row in range(down):
            box_height = tall + (1 if row < rest else 0)
            boxes = []
            for column in range(across):
                box_width = width // across + (1 if column < width % across else 0)
                place = row * across + column
                if place >= len(shown):
                    boxes.append([BLANK] * box_height)
                    continue
                number, chart = shown[place]
                words = self.place_words(number, total, across)
                may_draw = budget > 0 or number in self._at_once
                box, drawn = self._box(place, chart, box_width, box_height, words, may_draw)
                budget -= drawn
                boxes.append(box)
            widths = [width // across + (1 if column < width % across else 0) for column in range(across)]
            rows.extend(
                tuple(part for box, size in zip(boxes, widths, strict=True) for part in pad(box[index], size))
                for index in range(box_height)
            )
        self._at_once = set()
        return rows

    def place_words(self, number: int, total: int, across: int) -> str:
        """What stands beside a chart's name: which one it is, and which one is chosen."""
        here = "  Tab next" if across == 1 else "  ◂" if number == self.chosen % total else ""
        return f"{number + 1}/{total}{here}"

    def missing_words(self) -> str:
        """Why there is nothing to draw where no measurements are at hand."""
        if self.console.state.past is not None:
            return "measurements of back then aren't kept: T returns to now"
        if self.console.state.connection.phase is Phase.OFFLINE:
            return "no measurements in the cache: they come with the connection"
        return "asking the server …"

    def _box(
        self, place: int, chart: Chart, width: int, height: int, words: str, may_draw: bool
    ) -> tuple[list[Line], int]:
        """The box at a place, and whether it was drawn now; an old one of the same size waits for its turn."""
        console, window = self.console, self.measured
        at = None if window is None else (window.flag_name, window.fetched_at, window.window)
        missing = self.missing_words() if window is None else ""
        key = (chart, at, words, missing, console.ascii_only)
        size = (width, height)
        known = self._boxes.get(place)
        if known is not None and known[0] == (key, size) and known[1] is window:
            return known[2], 0
        if not may_draw:
            if not self._waiting:
                self._waiting = True
                self.set_timer(TURN, self._redraw)
            fits = known is not None and len(known[2]) == height
            return (known[2] if known is not None and fits else [BLANK] * height), 0
        from flagconsole.console.chart_wall import chart_box

        box = chart_box(chart, window, width, height, place=words, missing=missing, ascii_only=console.ascii_only)
        self._boxes[place] = ((key, size), window, box)
        return box, 1
