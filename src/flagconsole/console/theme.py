"""Themes: TOML files that give each semantic role a style. Read, checked and turned into a palette here.

The shipped ones lie in the repository's top-level ``themes/`` (``flagconsole/themes`` in the wheel), the user's own in
``themes`` beside their configuration; a user's theme of the same name wins.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.errors import StyleSyntaxError
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.theme import Theme

from flagconsole.console.glyphs import to_ascii
from flagconsole.console.line import pad
from flagconsole.console.safe import Line
from flagconsole.domain.errors import InvalidInput

if TYPE_CHECKING:
    from flagconsole.console.finish import Finish

DEFAULT_THEME: Final = "night"
COLOURLESS_THEME: Final = "mono"

#: Every theme gives each of these a style. The first group are whole rows with their background, the rest lie on them.
ROLES: Final[Mapping[str, str]] = {
    "screen": "rows and panes",
    "sheet": "sheets and boxes over the rows",
    "footer": "the row of keys",
    "environment_production": "the environment bar in production",
    "environment_staging": "the environment bar in staging",
    "environment_other": "the environment bar in local and demo environments",
    "banner": "the offline banner",
    "stale": "what was counted before the connection was lost, on the bar",
    "past": "the bar while an earlier moment is on screen",
    "alarm": "what is out of date by minutes, on any bar",
    "cursor": "the row under the cursor",
    "muted": "what matters less",
    "faint": "rules, hints, empty places",
    "strong": "names and figures that matter",
    "header": "column and section headings",
    "key": "a key that can be pressed",
    "link": "names of other flags",
    "field": "typed text",
    "caret": "the cell that the typing cursor stands on",
    "changed": "a row that has just changed",
    "border": "frames of sheets",
    "border_danger": "frames of sheets that stop something or expose someone",
    "good": "fresh, confirmed",
    "warning": "ageing, partial, unknown",
    "danger": "old, refused, high risk",
    "state_off": "the state off",
    "state_shadow": "the state shadow",
    "state_canary": "the state canary",
    "state_on": "the state on",
    "state_kill": "the state kill",
}


class Palette(NamedTuple):
    """A theme that was read: its name, whether its ground is dark, whether it has colours, a style for each role."""

    name: str
    description: str
    dark: bool
    colour: bool
    styles: Mapping[str, Style]
    #: Styles that were combined before, by ground and role.
    combined: dict[tuple[str, str], Style]

    def style(self, base: str, role: str) -> Style:
        """The style of text of ``role`` on a row of ``base``."""
        found = self.combined.get((base, role))
        if found is None:
            ground, own = self.styles[base], self.styles.get(role)
            found = self.combined[(base, role)] = ground if own is None else ground + own
        return found

    def strip(
        self, row: Line, width: int, base: str = "screen", ascii_only: bool = False, finish: Finish | None = None
    ) -> Strip:
        """A row as Textual paints it: exactly ``width`` cells, passed by ``finish``. The only place where the console makes
        segments; each costs a sequence of forty bytes, so a blank is painted with its neighbour where that looks the same."""
        segments: list[Segment] = []
        combined, text = self.combined, ""
        style = self.style(base, "plain")
        for part, role in pad(row, width):
            own = combined.get((base, role)) or self.style(base, role)
            if own is style or not text:
                text, style = text + part, own
            elif _blank(part) and blanks_alike(style, own):
                text += part
            elif _blank(text) and blanks_alike(style, own):
                text, style = text + part, own
            elif part:
                segments.append(Segment(to_ascii(text) if ascii_only else text, style))
                text, style = part, own
        if text:
            segments.append(Segment(to_ascii(text) if ascii_only else text, style))
        return Strip(segments if finish is None else finish(segments), width)

    def textual_theme(self) -> Theme:
        """What Textual needs for the ground behind our rows."""
        screen = self.styles["screen"]
        ground = screen.bgcolor.name if self.colour and screen.bgcolor is not None else "ansi_default"
        front = screen.color.name if self.colour and screen.color is not None else "ansi_default"
        return Theme(
            name=textual_name(self.name),
            primary=front,
            foreground=front,
            background=ground,
            surface=ground,
            panel=ground,
            boost=ground,
            dark=self.dark,
            ansi=not self.colour,
            # Textual's own style sheet asks for these where colours are the terminal's.
            variables={} if self.colour else {"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"},
        )


@lru_cache(1024)
def blanks_alike(one: Style, other: Style) -> bool:
    """Whether a blank looks the same in both styles: only its ground is seen, and lines through or under it."""
    return _seen_of_blank(one) == _seen_of_blank(other)


def _blank(text: str) -> bool:
    return not text.strip(" ")


def _seen_of_blank(style: Style) -> tuple[object, ...]:
    ground = style.color if style.reverse else style.bgcolor
    lines = (style.underline, style.underline2, style.strike, style.overline, style.frame, style.encircle)
    return (ground, bool(style.reverse), *map(bool, lines))


def textual_name(name: str) -> str:
    """The name under which Textual knows one of our themes."""
    return f"flagconsole-{name}"


def shipped_folder() -> Path:
    """Where the shipped themes are: in the package when installed, in the repository when run from it."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "themes"
    return installed if installed.is_dir() else package.parent.parent / "themes"


def user_folder() -> Path:
    """Where the user's own themes are looked for: beside the configuration, wherever that lies."""
    named = os.environ.get("FLAGCONSOLE_CONFIG")
    if named:
        return Path(named).parent / "themes"
    import platformdirs

    return Path(platformdirs.user_config_dir("flagconsole")) / "themes"


def theme_files(folders: Iterable[Path] | None = None) -> dict[str, Path]:
    """The names of all themes that can be chosen, in alphabetical order, with their files."""
    found: dict[str, Path] = {}
    for folder in folders if folders is not None else (shipped_folder(), user_folder()):
        if folder.is_dir():
            found.update((file.stem, file) for file in folder.glob("*.toml"))
    return dict(sorted(found.items()))


def load_theme(name: str, folders: Iterable[Path] | None = None) -> Palette:
    """The theme of that name. Raises ``InvalidInput`` that names the key, its value and what would be right."""
    files = theme_files(folders)
    if name not in files:
        raise InvalidInput(
            f"Choose one of {', '.join(files)}.", field="theme", problem="there is no such theme", value=name
        )
    return read_theme(files[name])


def read_theme(file: Path) -> Palette:
    """The theme in ``file``. Raises ``InvalidInput`` that names the key, its value and what would be right."""
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput("A theme is a TOML file.", field=str(file), problem=str(error), value=file.name) from None
    return _palette(data, file)


def _palette(data: Mapping[str, Any], file: Path) -> Palette:
    styles = data.get("styles")
    if not isinstance(styles, dict):
        raise _wrong(file, "styles", styles, "must be a table with a style for each role")
    for key in data.keys() - {"description", "dark", "colour", "styles"}:
        raise _wrong(file, key, data[key], "is not a key of a theme; known are description, dark, colour, styles")
    for key in sorted(styles.keys() - ROLES.keys()):
        raise _wrong(file, f"styles.{key}", styles[key], f"is not a role; known are {', '.join(ROLES)}")
    parsed: dict[str, Style] = {}
    for role, meaning in ROLES.items():
        value = styles.get(role)
        if not isinstance(value, str):
            raise _wrong(
                file, f"styles.{role}", value, f"must be the style for {meaning}, like 'bold #e6edf3 on #21262d'"
            )
        try:
            parsed[role] = Style.parse(value)
        except StyleSyntaxError as error:
            raise _wrong(
                file, f"styles.{role}", value, f"is not a style ({error}); write one like 'bold #ff7b72'"
            ) from None
    parsed["cursor"] = parsed["screen"] + parsed["cursor"]
    flags = {key: data.get(key, True) for key in ("dark", "colour")}
    for key, value in flags.items():
        if not isinstance(value, bool):
            raise _wrong(file, key, value, "must be true or false")
    if flags["colour"] and (parsed["screen"].bgcolor is None or parsed["screen"].color is None):
        raise _wrong(
            file, "styles.screen", styles["screen"], "must name a colour and a ground, like '#c9d1d9 on #0d1117'"
        )
    return Palette(file.stem, str(data.get("description", "")), flags["dark"], flags["colour"], parsed, {})


def _wrong(file: Path, key: str, value: object, problem: str) -> InvalidInput:
    return InvalidInput(f"The theme is {file.name}.", field=key, problem=problem, value=value)
