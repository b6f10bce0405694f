"""Printing: data to standard output, talk to standard error."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from flagconsole.cli.table import Cell, styled, table
from flagconsole.cli.table_prose import table_with_prose
from flagconsole.cli.wrapping import wrapped
from flagconsole.domain.states import FlagState
from flagconsole.domain.text import safe_text

if TYPE_CHECKING:
    from pydantic import BaseModel

_STATE_CELLS: Final = {
    FlagState.OFF: Cell("○ off", dim=True),
    FlagState.SHADOW: Cell("◐ shadow", "cyan"),
    FlagState.CANARY: Cell("▲ canary", "yellow"),
    FlagState.ON: Cell("● on", "green"),
    FlagState.KILL: Cell("■ kill", "red", bold=True),
}


def print_json(value: BaseModel | dict[str, Any], **more: Any) -> None:
    """Print one JSON object, with ``more`` keys in it. Only printable ASCII, so that nothing in it can act on a terminal."""
    data = value if isinstance(value, dict) else value.model_dump(mode="json")
    click.echo(json.dumps({**data, **more}, indent=2, default=_json_of).replace("\x7f", "\\u007f"))


def json_line(value: dict[str, Any]) -> str:
    """One JSON object on one line, in printable ASCII."""
    return json.dumps(value, separators=(",", ":"), default=_json_of).replace("\x7f", "\\u007f")


def _json_of(value: BaseModel) -> Any:
    return value.model_dump(mode="json")


def print_table(header: Sequence[str], rows: Sequence[Sequence[Cell | str]], prose: int = 0) -> None:
    """Print a table. Where it goes to a terminal it is made to fit, and what had to be left out is named. The last ``prose``
    columns go on below each row where there is too little room beside it."""
    width = terminal_width()
    if width is not None and prose:
        laid_out = table_with_prose(header, rows, prose, width=width, colours=has_colours())
    else:
        laid_out = table(header, rows, width=width, colours=has_colours())
    for line in laid_out.lines:
        # click would strip the colours again where it believes there is no terminal.
        click.echo(line, color=True)
    if laid_out.left_out:
        talk(f"no room for {', '.join(laid_out.left_out)}: see a wider terminal, or --json")


def print_fields(fields: Sequence[tuple[str, Cell | str]]) -> None:
    """Print names and values, one pair a line; on a terminal long values go on below where they began."""
    longest = max(len(name) for name, _ in fields)
    room = None if (width := terminal_width()) is None else width - longest - 2
    for name, value in fields:
        cell = value if isinstance(value, Cell) else Cell(value)
        for number, part in enumerate(wrapped(safe_text(cell.text, 2000), room).splitlines() or [""]):
            text = styled(cell._replace(text=part if number == 0 else part.lstrip()), has_colours())
            click.echo(f"{(name if number == 0 else '').ljust(longest)}  {text}".rstrip(), color=True)


def say(line: str) -> None:
    """Print a line of outcome, on a terminal broken between words; what comes from outside in it must have passed ``safe_text``."""
    click.echo(wrapped(line, terminal_width()))


def say_whole(text: str) -> None:
    """Print what is copied or read by a program: as it stands."""
    click.echo(text)


def talk(line: str) -> None:
    """Print a remark to standard error."""
    click.echo(wrapped(line, shutil.get_terminal_size().columns if sys.stderr.isatty() else None), err=True)


def is_terminal() -> bool:
    """Whether somebody reads standard output as it is printed."""
    return sys.stdout.isatty()


def terminal_width() -> int | None:
    """The columns of the terminal that standard output goes to; None where it goes elsewhere."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def has_colours() -> bool:
    """Whether colours reach somebody who wants them."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def state_cell(state: FlagState) -> Cell:
    """A state by glyph, word and colour."""
    return _STATE_CELLS[state]


def moment(value: datetime | None) -> str:
    """A time in UTC to the second."""
    return "-" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def when(value: datetime | None) -> Cell:
    """A time in a table: in UTC to the second, or shortly, as the time of today or the day of this year."""
    if value is None:
        return Cell("-")
    then, now = value.astimezone(UTC), datetime.now(UTC)
    form = "%H:%M:%S" if then.date() == now.date() else "%m-%d %H:%M" if then.year == now.year else "%Y-%m-%d"
    return Cell(moment(value), short=then.strftime(form), unit="UTC")


def age(then: datetime, now: datetime) -> str:
    """How long ago, in one unit: ``12s``, ``5m``, ``3h``, ``9d``."""
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def duration(seconds: float) -> str:
    """A short duration: ``38 ms``, ``1.2 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
