"""Themes: all shipped ones are whole, and a mistake is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from flagconsole.console.line import line
from flagconsole.console.safe import span
from flagconsole.console.theme import ROLES, load_theme, read_theme, shipped_folder, theme_files
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


def test_strip_is_exactly_as_wide_as_asked() -> None:
    palette = load_theme("night")
    for text in ("abc", "a" * 50, "名前" * 20, "e\u0301" * 30):
        strip = palette.strip(line(span(text)), 21)
        assert strip.cell_length == sum(segment.cell_length for segment in strip) == 21


def test_ascii_replaces_our_signs() -> None:
    strip = load_theme("mono").strip(line(span("● on ▶ ■ kill")), 14, ascii_only=True)
    assert strip.text.rstrip() == "* on > # kill"
