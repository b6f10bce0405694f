"""Themes: all shipped ones are whole, and a mistake is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rich.color import Color

from flagconsole.console.line import line
from flagconsole.console.safe import span
from flagconsole.console.theme import ROLES, load_theme, read_theme, shipped_folder, theme_files, user_folder
from flagconsole.domain.errors import InvalidInput

SHIPPED = sorted(theme_files([shipped_folder()]))


def write(folder: Path, **changes: str | None) -> Path:
    text = (shipped_folder() / "night.toml").read_text()
    for key, value in changes.items():
        rows = [row for row in text.splitlines() if not row.startswith(f"{key} =")]
        text = "\n".join(rows) + ("" if value is None else f"\n{key} = {value}\n")
    file = folder / "mine.toml"
    file.write_text(text)
    return file


def test_the_named_themes_are_shipped() -> None:
    assert {"night", "day", "high-contrast", "mono", "deuteranopia", "tritanopia"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_theme_has_every_role(name: str) -> None:
    palette = load_theme(name, [shipped_folder()])
    assert set(palette.styles) == set(ROLES)
    assert palette.textual_theme().ansi is not palette.colour


def test_mono_has_no_colour_at_all() -> None:
    palette = load_theme("mono", [shipped_folder()])
    assert not palette.colour
    assert all(style.color is None and style.bgcolor is None for style in palette.styles.values())


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"danger": None}, r"styles\.danger: must be the style for old, refused, high risk"),
        ({"danger": '"bold #zz"'}, r"styles\.danger: is not a style .*'bold #zz'"),
        ({"danger": "7"}, r"styles\.danger: .*got 7"),
        ({"dangre": '"red"'}, r"styles\.dangre: is not a role"),
        ({"screen": '"bold"'}, r"styles\.screen: must name a colour and a ground"),
    ],
)
def test_mistake_is_named_with_key_and_value(tmp_path: Path, changes: dict[str, str | None], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        read_theme(write(tmp_path, **changes))


def test_what_is_no_toml_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("= =")
    with pytest.raises(InvalidInput, match=r"bad\.toml"):
        read_theme(tmp_path / "bad.toml")
    with pytest.raises(InvalidInput, match=r"there is no such theme.*nope.*Choose one of bad"):
        load_theme("nope", [tmp_path])


def test_users_theme_of_the_same_name_wins(tmp_path: Path) -> None:
    (tmp_path / "night.toml").write_text((shipped_folder() / "day.toml").read_text())
    assert load_theme("night", [shipped_folder(), tmp_path]).styles == load_theme("day").styles


def test_users_themes_lie_beside_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGCONSOLE_CONFIG", str(tmp_path / "elsewhere" / "config.toml"))
    assert user_folder() == tmp_path / "elsewhere" / "themes"


def test_strip_is_exactly_as_wide_as_asked() -> None:
    palette = load_theme("night")
    for text in ("abc", "a" * 50, "名前" * 20, "e\u0301" * 30):
        strip = palette.strip(line(span(text)), 21)
        assert strip.cell_length == sum(segment.cell_length for segment in strip) == 21


def test_ascii_replaces_our_signs() -> None:
    strip = load_theme("mono").strip(line(span("● on ▶ ■ kill")), 14, ascii_only=True)
    assert strip.text.rstrip() == "* on > # kill"


GROUNDS = {"screen", "sheet", "footer", "environment_production", "environment_staging", "environment_other", "banner"}
OWN_GROUND = {"caret", "alarm"}


def luminance(colour: Color) -> float:
    channels = [
        value / 255 / 12.92 if value / 255 <= 0.04045 else ((value / 255 + 0.055) / 1.055) ** 2.4
        for value in colour.get_truecolor()
    ]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "mono"])
def test_everything_can_be_read(name: str) -> None:
    palette = load_theme(name, [shipped_folder()])
    on_rows = set(ROLES) - GROUNDS - OWN_GROUND - {"cursor"}
    pairs = [(base, role) for base in ("screen", "sheet", "cursor") for role in ({"plain"} | on_rows)]
    pairs += [(base, "plain") for base in GROUNDS] + [("screen", role) for role in OWN_GROUND]
    for base, role in pairs:
        style = palette.style(base, role)
        assert style.color is not None, (base, role)
        assert style.bgcolor is not None, (base, role)
        light, dark = sorted((luminance(style.color), luminance(style.bgcolor)), reverse=True)
        ratio = (light + 0.05) / (dark + 0.05)
        assert ratio >= (1.8 if role in {"faint", "border", "border_danger"} else 3.0), (base, role, round(ratio, 2))


@pytest.mark.parametrize("name", SHIPPED)
async def test_console_opens_in_every_theme(open_console: Any, name: str) -> None:
    async with open_console(theme=name) as console:
        await console.press("K")
        assert "KILL pos.loyalty_points" in console.screen()


async def test_no_color_is_colourless(open_console: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_console(theme="mono") as console:
        await console.press("K", "1")
        strips = console.app.screen._compositor.render_strips()
        colours = {
            colour.name
            for strip in strips
            for segment in strip
            if segment.style is not None
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None
        }
        assert colours <= {"default"}
        cursor = next(strip for strip in strips if strip.text.startswith("▶"))
        assert all(segment.style is not None and segment.style.reverse for segment in cursor)
        await console.press("escape", ":")
        await console.type("theme night")
        await console.press("enter")
        assert "NO_COLOR is set" in console.screen()
