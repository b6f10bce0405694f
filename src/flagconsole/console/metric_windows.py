"""What was measured of a flag over a window, as the charts and tables need it: light rows read from the API's JSON.

A value that wasn't measured is None, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from flagconsole.console.json_values import number, whole
from flagconsole.console.rows import Json, seconds_of

Values = tuple[float | None, ...]

#: The windows that ``[`` and ``]`` go through, in seconds, and their names.
WINDOWS: Final = {300: "5m", 900: "15m", 3600: "1h", 21_600: "6h", 86_400: "24h", 604_800: "7d"}
USUAL_WINDOW: Final = 900
#: The share of the operations of the step before from which one that isn't over is shown.
ENOUGH_OF_A_STEP: Final = 1 / 4

#: Groups: who has the feature, who hasn't, everyone with it, everyone in shadow, everyone without it.
CANARY, CONTROL, ON, SHADOW, OFF = "canary", "control", "on", "shadow", "off"
#: The series that a metric of a plan is drawn from, where that has another name.
_SERIES_OF: Final = {"p95_regression": "latency_p95", "ticket_increase": "tickets", "conversion_rate": "conversions"}


class GroupRow(NamedTuple):
    """One group: totals over the window, and a series for each metric."""

    operations: int
    tenants: int
    totals: Mapping[str, float | None]
    series: Mapping[str, Values]


class MetricWindow(NamedTuple):
    """One answer. ``starts`` are the steps' beginnings (server's seconds), ``newest_at`` the end of the newest bucket there
    is, None where nothing was ever measured. ``fetched_at`` is the server's time of the answer."""

    flag_name: str
    window: int
    fetched_at: float
    since: float
    until: float
    step: int
    newest_at: float | None
    starts: tuple[float, ...]
    groups: Mapping[str, GroupRow]
    operations: int
    tenants: int

    def age(self, now: float) -> float | None:
        """Seconds since the newest data; None where nothing was ever measured. ``now`` is the server's time."""
        return None if self.newest_at is None else max(0.0, now - self.newest_at)

    def series(self, group: str, metric: str) -> Values:
        """One group's values for each step; all None where nothing was measured."""
        row = self.groups.get(group)
        found = None if row is None else row.series.get(_SERIES_OF.get(metric, metric))
        return (None,) * len(self.starts) if found is None or len(found) != len(self.starts) else found

    def drawn(self, group: str, metric: str, *, counted: bool = False) -> Values:
        """The series as it is shown. The step that isn't over is left out of numbers that are ``counted``, and as long as it has
        too few operations to be compared with the one before."""
        values, counts = self.series(group, metric), self.series(group, "operations")
        if not values or self.starts[-1] + self.step <= self.fetched_at:
            return values
        before = next((count for count in reversed(counts[:-1]) if count), 0.0)
        few = (counts[-1] or 0.0) < ENOUGH_OF_A_STEP * before
        return (*values[:-1], None) if counted or few else values

    def newest(self, group: str, metric: str, *, counted: bool = False) -> float | None:
        """Where the line ends that is ``drawn``; None where the last three steps that are over have none: what is older is not
        "now"."""
        values = self.drawn(group, metric, counted=counted)
        return next((value for value in reversed(values[-4:]) if value is not None), None)

    def measured_until(self, group: str) -> float | None:
        """The end of the newest step with operations of a group, server's seconds; None where the window has none."""
        counts = self.series(group, "operations")
        last = next((index for index in range(len(counts) - 1, -1, -1) if counts[index]), None)
        return None if last is None else min(self.starts[last] + self.step, self.newest_at or self.until)

    def total(self, group: str, metric: str) -> float | None:
        """One group's value over the whole window."""
        row = self.groups.get(group)
        return None if row is None else row.totals.get(_SERIES_OF.get(metric, metric))

    @property
    def judged_group(self) -> str:
        """The group that had the feature or ran it in shadow last: of a flag that went back from on to shadow, those in shadow.
        Everyone without it where no other was measured."""
        measured = {name: self._span(name) for name in (CANARY, ON, SHADOW) if name in self.groups}
        if not measured:
            return OFF if OFF in self.groups else CANARY
        # Of two that were measured in the newest step, the one that came later: the flag has just gone on to it.
        return max(measured, key=lambda name: measured[name])

    def _span(self, group: str) -> tuple[int, int]:
        """The places of a group's last and first steps with operations; before all others where it has none."""
        counts = self.series(group, "operations")
        places = [place for place, count in enumerate(counts) if count]
        return (places[-1], places[0]) if places else (-1, -1)

    def between(self, group: str, metric: str, since: float, until: float) -> float | None:
        """The mean of the steps that lie wholly from ``since`` to ``until`` (server's seconds), weighted by operations;
        None where nothing was measured in them."""
        values, operations = self.series(group, metric), self.series(group, "operations")
        weighted = weights = 0.0
        for start, value, count in zip(self.starts, values, operations, strict=True):
            if start >= since and start + self.step <= until and value is not None and count:
                weighted += value * count
                weights += count
        return weighted / weights if weights else None

    def up_to(self, group: str, metric: str, since: float, until: float, *, cut: bool) -> tuple[float | None, float]:
        """The mean of the steps from ``since`` to ``until`` and how many seconds it is of. ``cut``: the group ended then, so the
        step in which it did counts as far as it went; else only steps that were over do. None where nothing was measured."""
        values, operations = self.series(group, metric), self.series(group, "operations")
        weighted = weights = seconds = 0.0
        for start, value, count in zip(self.starts, values, operations, strict=True):
            end = start + self.step
            inside = start >= since and (end <= until or (cut and start < until))
            if inside and value is not None and count:
                weighted += value * count
                weights += count
                seconds += min(end, until) - start
        return (weighted / weights if weights else None), seconds


def metric_window(data: Json, window: int) -> MetricWindow:
    """The window in ``GET /api/flags/{name}/metrics``."""
    groups = data.get("groups")
    return MetricWindow(
        str(data["flag_name"]),
        window,
        seconds_of(data.get("now")) or 0.0,
        seconds_of(data.get("since")) or 0.0,
        seconds_of(data.get("until")) or 0.0,
        max(1, whole(data.get("step_seconds"))),
        seconds_of(data.get("newest_at")),
        tuple(seconds_of(item) or 0.0 for item in data.get("starts") or ()),
        {str(name): _group(item) for name, item in groups.items()} if isinstance(groups, Mapping) else {},
        whole(data.get("operations")),
        whole(data.get("active_tenants")),
    )


def _group(data: Json) -> GroupRow:
    totals, series = data.get("totals") or {}, data.get("series") or {}
    measured = {str(name): number(value) for name, value in totals.items() if not isinstance(value, Mapping)}
    measured |= {str(name): number(item.get("value")) for name, item in (totals.get("custom") or {}).items()}
    lines = {str(name): _values(values) for name, values in series.items() if not isinstance(values, Mapping)}
    lines |= {str(name): _values(values) for name, values in (series.get("custom") or {}).items()}
    return GroupRow(whole(totals.get("operations")), whole(totals.get("active_tenants")), measured, lines)


def _values(values: object) -> Values:
    return tuple(map(number, values)) if isinstance(values, list | tuple) else ()
