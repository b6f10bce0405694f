"""Whom an incident reached: the tenants that had the feature enabled right before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.incident import Incident
from flagconsole.operations.reading import ruleset_of
from flagconsole.store.protocol import Reader

#: More tenants than this are counted in a thread, so that nobody else waits for it.
_FEW: Final = 2_000


class Reach:
    """Counts whom incidents reached, in one view of the store. What they have in common is read once: an outage may have hundreds."""

    def __init__(self, reader: Reader, now: datetime) -> None:
        self._reader = reader
        self._now = now
        self._flags: dict[str, Flag | None] = {}
        self._overrides: list[Override] = []
        self._tenants: tuple[str, ...] | None = None

    async def assessed(self, incident: Incident) -> Incident:
        """The incident with its affected tenants and the impact that follows; as it is where they were counted already.

        Counted with the flag as it was right before and everything else as it is now, so the sooner the better. Where the flag
        was archived meanwhile there is nothing to count with, and it stays uncounted.
        """
        if incident.affected_tenants is not None:
            return incident
        flag = await self._flag(incident.flag_name)
        if flag is None:
            return incident
        before = flag.model_copy(update=incident.before.model_dump())
        ruleset = await self._ruleset(before)
        if self._tenants is None:
            self._tenants = await self._reader.active_tenant_ids()
        if len(self._tenants) <= _FEW:
            reached = _reached(ruleset, incident.flag_name, self._tenants, self._now)
        else:
            reached = await asyncio.to_thread(_reached, ruleset, incident.flag_name, self._tenants, self._now)
        return incident.assessed(reached, len(self._tenants))

    async def _ruleset(self, flag: Flag) -> Ruleset:
        """The rules that say who has the flag: its own and those of what it depends on. To read all flags would take a large store's
        readers a tenth of a second, right after a kill."""
        needed, waiting = {flag.flag_name: flag}, list(flag.dependencies)
        while waiting:
            name = waiting.pop()
            found = None if name in needed else await self._flag(name)
            if found is not None:
                needed[name] = found
                waiting += found.dependencies
        overrides = [override for override in self._overrides if override.flag_name in needed]
        return ruleset_of(await self._reader.head(), list(needed.values()), overrides)

    async def _flag(self, name: str) -> Flag | None:
        """A flag of the store, with its overrides among the others'."""
        if name not in self._flags:
            self._flags[name] = await self._reader.flag(name)
            self._overrides += await self._reader.overrides(flag_name=name)
        return self._flags[name]


async def assessed(reader: Reader, incident: Incident, now: datetime) -> Incident:
    """One incident with its affected tenants."""
    return await Reach(reader, now).assessed(incident)


def _reached(ruleset: Ruleset, flag_name: str, tenants: Sequence[str], now: datetime) -> tuple[str, ...]:
    at = now.timestamp()
    return tuple(name for name in tenants if ruleset.evaluate(flag_name, name, at).enabled)
