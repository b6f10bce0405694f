"""The console's manners as the configuration says them: ``[console]`` and ``[keys]``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from flagconsole.cli.configuration import Configuration
from flagconsole.cli.suggestion import did_you_mean
from flagconsole.console.manners import Manners
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text

_SWITCHES: Final = {"mouse": "mouse", "ascii": "ascii_only", "slow_link": "slow_link", "bell": "bell", "notes": "notes"}


def manners_of(known: Configuration, path: Path) -> Manners:
    """The manners. Raises ``InvalidInput`` that names the key, its value and what would be right."""
    console = _table(known, "console")
    given: dict[str, Any] = {}
    for key, value in console.items():
        if key in _SWITCHES:
            if not isinstance(value, bool):
                raise InvalidInput(field=f"console.{key}", problem="must be true or false", value=safe_text(value, 60))
            given[_SWITCHES[key]] = value
        elif key == "theme":
            if not isinstance(value, str) or not value:
                raise InvalidInput(field="console.theme", problem="must be a theme's name", value=safe_text(value, 60))
            given["theme"] = value
        else:
            names = [*_SWITCHES, "theme"]
            problem = f"is no setting of the console; known are {', '.join(names)}"
            hint = did_you_mean(key, names).strip()
            raise InvalidInput(hint, field=f"console.{safe_text(key, 60)}", problem=problem, value=safe_text(value, 60))
    keys = _table(known, "keys")
    for command, value in keys.items():
        many = isinstance(value, list) and value and all(isinstance(item, str) and item for item in value)
        if not many and not (isinstance(value, str) and value):
            problem = 'must be a key like "K", or several like ["d", "enter"]'
            raise InvalidInput(field=f"keys.{safe_text(command, 60)}", problem=problem, value=safe_text(value, 60))
    return Manners(**given, keys=dict(keys), configuration=path)


def _table(known: Configuration, name: str) -> dict[str, Any]:
    table = known.tables.get(name, {})
    if not isinstance(table, dict):
        raise InvalidInput(field=name, problem=f"must be a table, [{name}]", value=safe_text(table, 60))
    return table
