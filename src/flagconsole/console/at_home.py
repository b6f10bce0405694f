"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path


def at_home(path: str | Path) -> str:
    """A path with ``~`` for the user's own folder."""
    home = f"{Path.home()}/"
    text = str(path)
    return f"~/{text.removeprefix(home)}" if text.startswith(home) else text
