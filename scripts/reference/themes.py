"""The themes, and what a theme's file holds."""

from __future__ import annotations

from flagconsole.console.theme import ROLES, load_theme, shipped_folder, theme_files
from reference.page import code, page, table

ABOUT = """A theme is a TOML file: `description`, `dark` and `colour` (true unless said otherwise), and under `[styles]` one style for
each role, such as `bold #e6edf3 on #21262d`. One's own lie in `themes/` beside the configuration and are chosen with `--theme`, in the
console's settings, or with `theme` under `[console]`; the open console follows a file that changes."""


def text() -> str:
    """The page."""
    shipped = [load_theme(name, [shipped_folder()]) for name in theme_files([shipped_folder()])]
    rows = [
        (code(theme.name), theme.description, "dark" if theme.dark else "light", "yes" if theme.colour else "no")
        for theme in shipped
    ]
    roles = [(code(role), meaning) for role, meaning in ROLES.items()]
    return page(
        "Themes",
        ABOUT,
        "## Shipped",
        table(("theme", "description", "ground", "colour"), rows),
        "## Roles",
        table(("role", "what has this style"), roles),
    )
