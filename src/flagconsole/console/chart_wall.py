"""Which charts a rollout has, and how one reads in its frame. Pure functions, without Textual."""

from __future__ import annotations

from typing import Final, NamedTuple

from flagconsole.console.charts import Axis, Series, axis_for, chart_rows
from flagconsole.console.figures import MICRO, control_text, limit_text, metric_label, value_text
from flagconsole.console.frame import LIGHT, framed
from flagconsole.console.line import Line, cells, line
from flagconsole.console.metric_windows import CONTROL, OFF, WINDOWS, MetricWindow
from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.rulings import Ruling, rulings
from flagconsole.console.safe import span
from flagconsole.console.verdicts import FAIL

#: A change is drawn as what it is a change of.
_DRAWN_AS: Final = {"p95_regression": ("latency_p95", "latency"), "ticket_increase": ("tickets", "count")}
#: Metrics of which it would show the same course upside down.
_SAME_AS: Final = {"success_rate": "error_rate"}
_UPWARD: Final = {"success_rate", "csat", "conversion_rate"}


class Chart(NamedTuple):
    """One chart: a metric, the limits in it (the first is always in view), how it is judged, and in words which number the
    judge has for the whole phase."""

    metric: str
    kind: str
    limits: tuple[float, ...] = ()
    limit_words: str = ""
    outcome: str = ""
    judged: str = ""


def charts_of(rollout: RolloutRow | None, window: MetricWindow | None) -> list[Chart]:
    """The charts of the phase's criteria, what fails first, then those that are good to see beside them."""
    found: list[Chart] = []
    known = rulings(rollout) if rollout is not None else []
    names = {ruling.metric for ruling in known}
    for ruling in known:
        if _SAME_AS.get(ruling.metric) in names:
            continue
        found.append(_chart_of(ruling, window))
    drawn = {chart.metric for chart in found}
    extra = [("error_rate", "ratio"), ("latency_p95", "latency"), ("operations", "count")]
    found += [Chart(metric, kind) for metric, kind in extra if metric not in drawn]
    if window is not None:
        # What nobody measures gives way to what can be seen; what fails stays in front.
        judged = window.judged_group
        found.sort(key=lambda chart: chart.outcome != FAIL and not _measured(window, judged, chart.metric))
    return found


def _measured(window: MetricWindow, group: str, metric: str) -> bool:
    return any(value is not None for value in window.series(group, metric))


def _chart_of(ruling: Ruling, window: MetricWindow | None) -> Chart:
    metric, kind = _DRAWN_AS.get(ruling.metric, (ruling.metric, ruling.kind))
    limits = [limit for limit in (ruling.passes, ruling.fails) if limit is not None]
    words = " ".join(limit_text(limit.comparison, limit.limit, limit.kind) for limit in limits)
    values = tuple(limit.limit for limit in limits)
    if kind == "count":
        # A limit on a number counts since the phase began, or for each tenant: no line among the steps' numbers is it.
        values = ()
        words = f"{words} %" if words and ruling.kind == "change" else words
    elif ruling.kind == "change":
        # The limit is relative to the control, so the line is where the control is now, and that much above.
        base = None if window is None else window.total(CONTROL, metric)
        values = () if base is None else tuple(base * (1 + value) for value in values)
        words = f"{words} %" if words else ""
    return Chart(metric, kind, values, words, ruling.outcome, _judged_words(ruling))


def _judged_words(ruling: Ruling) -> str:
    """The numbers of the criterion's row: what the phase is judged by, where the line tells of the newest moment."""
    seen = ruling.seen
    if seen is None or seen.value is None:
        return ""
    control = control_text(seen)
    beside = f" control {control}" if seen.control is not None and ruling.kind != "change" else ""
    unit = " %" if ruling.kind == "change" else ""
    # Where a baseline is known, less is claimed than what was measured; both are said where they differ.
    raw = (
        ""
        if seen.raw is None or abs(seen.raw - seen.value) < 0.005
        else f" (measured {value_text(seen.raw, 'change')} %)"
    )
    return f"phase {value_text(seen.value, ruling.kind)}{unit}{raw}{beside}"


def series_of(chart: Chart, window: MetricWindow) -> dict[str, Series]:
    """The lines by group: the control, everyone without the feature, and over them whoever is judged."""
    judged, counted = window.judged_group, chart.kind == "count"
    lines: dict[str, Series] = {}
    if CONTROL in window.groups:
        lines[CONTROL] = Series(window.drawn(CONTROL, chart.metric, counted=counted), "muted", dotted=True)
    if OFF in window.groups:
        lines[OFF] = Series(window.drawn(OFF, chart.metric, counted=counted), "good")
    role = "danger" if chart.outcome == FAIL else "link"
    lines[judged] = Series(window.drawn(judged, chart.metric, counted=counted), role)
    return lines


def axis_of(chart: Chart, lines: list[Series]) -> Axis | None:
    """The chart's axis; None where there is nothing to draw."""
    return axis_for(lines, chart.limits, chart.kind, from_zero=chart.metric not in _UPWARD)


def chart_box(
    chart: Chart,
    window: MetricWindow | None,
    width: int,
    height: int,
    *,
    place: str = "",
    missing: str = "",
    ascii_only: bool = False,
) -> list[Line]:
    """The chart in its frame: the metric above, the newest values and the window below. ``missing`` is what is said where no
    measurements are at hand."""
    inner_width, inner_height = width - 4, height - 2
    lines = [] if window is None else list(series_of(chart, window).values())
    axis = axis_of(chart, lines)
    micro = axis is not None and axis.in_microseconds
    role = "danger" if chart.outcome == FAIL else "strong"
    label = span(metric_label(chart.metric, MICRO if micro else chart.kind), role)
    title = line(label, span(f"  {place}" if place else "", "muted"))
    if window is None:
        rows: list[Line] = [line(span(missing, "muted"))]
        return framed(rows, title, "", width, height, "border", LIGHT)
    if axis is None:
        said = "nothing was ever measured" if window.newest_at is None else f"no data in these {WINDOWS[window.window]}"
        rows = [(), line(span(f"no data: {said}", "warning"))]
    else:
        rows = chart_rows(lines, chart.limits, axis, inner_width, inner_height, ascii_only=ascii_only)
    return framed(rows, title, _note(chart, window, micro, width - 6), width, height, "border", LIGHT)


def _note(chart: Chart, window: MetricWindow, micro: bool, width: int) -> str:
    """The phase's numbers as the judge has them, those at the line's end, the limits, the window. Where room is short the limits
    go first: the criterion's row has them, and so do the lines."""
    kind = MICRO if micro else chart.kind
    newest = {name: newest_of(chart, window, name) for name in shown_groups(window)}
    # Nobody is in a group of before any more; of whom it is about, that nothing is measured is said.
    told = {name: value for name, value in newest.items() if value is not None or name == window.judged_group}
    now = "  ".join(f"{name} {value_text(value, kind)}" for name, value in told.items())
    now = f"now {now}" if chart.judged else now
    limits = ""
    if chart.limit_words:
        limits = f"╌ {chart.limit_words}" if chart.limits else f"limit {chart.limit_words}"
    shown = WINDOWS.get(window.window, "")
    for parts in ((chart.judged, now, limits, shown), (chart.judged, now, shown), (now, limits, shown)):
        words = " · ".join(filter(None, parts))
        if cells(words) <= width:
            return words
    return f"{now} · {shown}"


def newest_of(chart: Chart, window: MetricWindow, group: str) -> float | None:
    """Where a group's line ends."""
    return window.newest(group, chart.metric, counted=chart.kind == "count")


def shown_groups(window: MetricWindow) -> list[str]:
    """The groups whose newest values are said: whoever is judged, everyone without the feature, the control."""
    return [
        window.judged_group,
        *(name for name in (OFF, CONTROL) if name in window.groups and name != window.judged_group),
    ]
