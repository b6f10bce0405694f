"""The kinds of values that arguments and options take, with errors that say what would be right."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flagconsole.cli.suggestion import did_you_mean
from flagconsole.domain.moment import moment_of
from flagconsole.domain.states import OVERRIDE_STATES, FlagState

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class StateType(click.ParamType[FlagState]):
    """One of the states of a flag."""

    name = "state"

    def __init__(self, *allowed: FlagState) -> None:
        self.allowed = allowed or tuple(FlagState)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> FlagState:
        """The state of that name, in any case."""
        names = [state.value for state in self.allowed]
        word = str(value).lower()
        if word not in names:
            self.fail(f"{value!r} is not one of {', '.join(names)}.{did_you_mean(word, names)}", param, ctx)
        return FlagState(word)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The states that begin so."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(state.value) for state in self.allowed if state.value.startswith(incomplete.lower())]

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """How help shows it."""
        return "STATE"


class OneOf(click.Choice[str]):
    """One of some words; for another one it says which may have been meant."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The word."""
        words = [str(choice) for choice in self.choices]
        if str(value) not in words:
            self.fail(f"{value!r} is not one of {', '.join(words)}.{did_you_mean(str(value), words)}", param, ctx)
        return str(value)


class FlagNameType(click.ParamType[str]):
    """A flag's name; a shell offers those that there are."""

    name = "flag"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it is: the store says which one may have been meant."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The flags whose names begin so, or hold it."""
        from click.shell_completion import CompletionItem

        from flagconsole.cli.live_names import live_flags

        flags = live_flags(ctx)
        found = [name for name in flags if name.startswith(incomplete)]
        found = found or [name for name in flags if incomplete in name]
        return [CompletionItem(name, help=flags[name].value) for name in found]


class FileType(click.ParamType[str]):
    """A file's path, or ``-``; a shell offers those that there are, and before them the ``names`` that stand for one."""

    name = "file"

    def __init__(self, *names: str) -> None:
        self._names = names

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The path as it is: who reads the file says what is wrong with it."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names that begin so; where none does, the shell looks for files itself."""
        from click.shell_completion import CompletionItem

        named = [CompletionItem(name) for name in self._names if incomplete and name.startswith(incomplete)]
        return named or [CompletionItem(incomplete, type="file")]


class DomainType(click.ParamType[str]):
    """A domain of flags; a shell offers those that there are."""

    name = "domain"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The domain as it is."""
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The domains that begin so."""
        from click.shell_completion import CompletionItem

        from flagconsole.cli.live_names import live_flags

        domains = dict.fromkeys(name.partition(".")[0] for name in live_flags(ctx))
        return [CompletionItem(domain) for domain in domains if domain.startswith(incomplete)]


FLAG = FlagNameType()
FILE = FileType()
#: A plan: one that ships (``flagconsole.operations.plan_file.SHIPPED``, which takes long to import), or a file.
PLAN = FileType("default", "demo")
DOMAIN = DomainType()
STATE = StateType()
OVERRIDE_STATE = StateType(*(state for state in FlagState if state in OVERRIDE_STATES))
REVIVE_STATE = StateType(FlagState.OFF, FlagState.SHADOW, FlagState.CANARY)
PERCENTAGE = click.IntRange(0, 100)


class MomentType(click.ParamType[datetime]):
    """A date and time in ISO 8601; without an offset it is UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time like 2026-12-31T18:00:00Z", param, ctx)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


class PastMomentType(click.ParamType[datetime]):
    """A moment that is over, as people say it at night: a time of day, ``20m`` (ago), or a date and time. In UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The time."""
        found = moment_of(str(value), datetime.now(UTC).timestamp())
        if found is not None:
            return datetime.fromtimestamp(found, UTC)
        try:
            return MOMENT.convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is not a time like 03:14, 20m (ago) or 2026-11-22T03:14Z", param, ctx)


MOMENT = MomentType()
PAST_MOMENT = PastMomentType()


def names(value: str | None) -> tuple[str, ...] | None:
    """The names of a list like ``a,b``; none for an empty one; None where nothing was given."""
    if value is None:
        return None
    return tuple(name.strip() for name in value.split(",") if name.strip())
