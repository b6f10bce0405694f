"""``metrics``: what was measured of a flag, and the canary against the control."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Final

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.output import age, has_colours, moment, print_fields, print_json, print_table, say
from flagconsole.cli.parameters import FLAG
from flagconsole.cli.table import Cell
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.target import Target
    from flagconsole.console.plot import Line
    from flagconsole.domain.flag_metrics import Compared, FlagMetrics, MetricTotals, Series

_PIPE_WIDTH: Final = 80
_CHART_HEIGHT: Final = 12
_RAW: Final = "raw: of this window; a rollout's judge takes out what the groups differed by before"
_COLOURS: Final = {
    "canary": "orange",
    "control": "blue",
    "shadow": "cyan",
    "on": "green",
    "off": "gray",
    "other": "magenta",
}
#: What can be drawn: a name, and whether its numbers are shares.
_CHARTS: Final = {
    "error_rate": True,
    "latency_p95": False,
    "success_rate": True,
    "latency_p99": False,
    "operations": False,
    "critical_errors": False,
    "conversions": False,
    "csat": True,
    "tickets": False,
}


@click.command("metrics")
@click.argument("flag", type=FLAG)
@click.option("--window", default="1h", show_default=True, metavar="D", help="How far back: 30m, 1h, 24h, 7d.")
@click.option("--step", metavar="D", help="The width of a step [what suits the window].")
@click.option("--metric", metavar="NAME", help="Draw this one, also one of your own [error_rate, latency_p95].")
@prints
def metrics(invocation: Invocation, flag: str, window: str, step: str | None, metric: str | None) -> None:
    """Show what was measured of a flag, and the canary against the control."""
    from flagconsole.domain.duration import parse_duration

    seconds = parse_duration(window, "window", least=10, most=90 * 86_400)
    width = None if step is None else parse_duration(step, "step", least=1, most=seconds)

    async def work(backend: Backend, target: Target) -> FlagMetrics:
        return await backend.metrics(flag, seconds, width)

    found = invocation.run(work)
    if invocation.as_json:
        print_json(found)
        return
    print_fields(_fields(found))
    if not found.groups:
        return
    say("")
    print_table(
        ["GROUP", "TENANTS", "OPERATIONS", "ERRORS", "CRITICALS", "P95", "P99", "CSAT", "TICKETS"], _groups(found)
    )
    if found.comparison:
        say("")
        print_table(["METRIC", "CANARY", "CONTROL", "RAW CHANGE"], [_compared(item) for item in found.comparison])
        say(_RAW)
    for name in [metric] if metric else ["error_rate", "latency_p95"]:
        say("")
        _draw(found, name)


def _fields(found: FlagMetrics) -> list[tuple[str, Cell | str]]:
    fields: list[tuple[str, Cell | str]] = [
        ("flag", found.flag_name),
        ("window", f"{moment(found.since)} to {moment(found.until)}, in steps of {found.step_seconds} s"),
    ]
    if found.newest_at is None:
        return [*fields, ("newest data", Cell("none, ever", "yellow"))]
    fields.append(("newest data", f"{age(found.newest_at, found.now)} old"))
    if not found.groups:
        return [*fields, ("in this window", Cell("no data", "yellow"))]
    mean = "" if found.latency_mean is None else f", {_milliseconds(found.latency_mean)} on average"
    tenants = f"{found.active_tenants} tenant{'s' * (found.active_tenants != 1)}"
    return [*fields, ("usage", f"{found.operations} operations of {tenants}{mean}")]


def _groups(found: FlagMetrics) -> list[list[Cell | str]]:
    # Without any ticket of any group nobody may be counting them.
    counted = any(item.totals.tickets for item in found.groups.values())
    return [[group.value, *_totals(item.totals, counted)] for group, item in found.groups.items()]


def _totals(totals: MetricTotals, tickets_counted: bool) -> list[Cell | str]:
    return [
        str(totals.active_tenants),
        str(totals.operations),
        _share(totals.error_rate),
        str(totals.critical_incidents),
        _milliseconds(totals.latency_p95),
        _milliseconds(totals.latency_p99),
        _share(totals.csat),
        str(totals.tickets) if tickets_counted else "–",
    ]


def _compared(item: Compared) -> list[Cell | str]:
    def shown(value: float | None) -> str:
        if item.kind == "ratio":
            return _share(value)
        if item.kind == "latency":
            return _milliseconds(value)
        return "–" if value is None else f"{value:.4g}"

    return [item.metric, shown(item.canary), shown(item.control), "–" if item.change is None else f"{item.change:+.1%}"]


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:.2f} %"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"


def _draw(found: FlagMetrics, metric: str) -> None:
    from flagconsole.console.plot import Line, chart

    share = _is_share(found, metric)
    lines: list[Line] = []
    for group, item in found.groups.items():
        series: Series | None = getattr(item.series, metric) if metric in _CHARTS else item.series.custom.get(metric)
        if series is not None:
            scaled = [None if value is None else value * 100 if share else value for value in series]
            lines.append(Line(group.value, scaled, _COLOURS[group.value]))
    unit = " (%)" if share else " (ms)" if metric.startswith("latency") else ""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH
    title = f"{safe_text(metric, 64)}{unit}"
    colours = has_colours()
    marked = not colours and len(lines) > 1
    drawn = chart(title, lines, found.starts, width=width, height=_CHART_HEIGHT, colours=colours, marked=marked)
    # click would strip the colours again where it believes there is no terminal.
    click.echo(drawn, color=True)


def _is_share(found: FlagMetrics, metric: str) -> bool:
    if metric in _CHARTS:
        return _CHARTS[metric]
    customs = (item.totals.custom.get(metric) for item in found.groups.values())
    return any(custom is not None and custom.kind == "ratio" for custom in customs)
