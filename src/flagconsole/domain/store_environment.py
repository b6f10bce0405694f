"""Environments: production, staging and others in one store, each with its own flags, keys, log and position."""

from __future__ import annotations

import re
from typing import Final

from pydantic import AwareDatetime

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.flag import Frozen

#: What the only environment of a store is called that nobody gave a name.
UNNAMED: Final = "local"
#: The partition of a store's first environment, which lies where stores lay before there were several.
FIRST: Final = ""
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")


class StoreEnvironment(Frozen):
    """One environment. ``partition`` names the part of the store that holds it, from its making on, whatever it is called
    later; the first one's is ``FIRST``. ``created_at`` is None for a first one without a name."""

    name: str
    partition: str = FIRST
    created_at: AwareDatetime | None = None
    created_by: str = ""


class EnvironmentView(Frozen):
    """An environment and where it is."""

    name: str
    epoch: str
    revision: int
    created_at: AwareDatetime | None = None
    created_by: str = ""


class EnvironmentList(Frozen):
    """Environments, the first one first. A key is told of its own only."""

    environments: tuple[EnvironmentView, ...]


def checked_environment(name: str, field: str = "environment") -> str:
    """The name of an environment. Raises ``InvalidInput`` for one that can't name a file and a schema."""
    if not _NAME.fullmatch(name):
        problem = "must be up to 31 lower-case letters, digits and dashes, beginning with a letter"
        raise InvalidInput(field=field, problem=problem, value=name[:100])
    return name


def is_environment_name(text: str) -> bool:
    """Whether ``text`` could name an environment."""
    return _NAME.fullmatch(text) is not None
