"""The fleet as it was at an earlier revision, worked out from the cache: its flags, and the changes since, taken back.

Revisions have no gap, so what can be reached is as far as the changes at hand follow each other without one missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flagconsole.console.cache import Cached, Json
from flagconsole.console.cache_parts import FLAGS, OVERRIDES
from flagconsole.console.rows import seconds_of, setting_of

#: What a change tells of a flag that isn't a field of it.
_TOLD_ONLY = frozenset({"canary_tenants", "canary_drawn"})


class Moment(NamedTuple):
    """A revision, the server's time at which it was made (None where that isn't known), and what made it."""

    revision: int
    at: float | None
    change: Json | None


class Timeline:
    """All that a cache knows of the past. ``moments`` begins with the newest one."""

    def __init__(self, cached: Cached, changes: Sequence[Json]) -> None:
        self.epoch = cached.epoch
        self._flags = {str(item["flag_name"]): item for item in cached.part(FLAGS)}
        self._overrides = {(str(item["flag_name"]), str(item["tenant_id"])): item for item in cached.part(OVERRIDES)}
        self._changes = _unbroken(changes, cached.revision)
        self.moments = [
            Moment(int(item["change_id"]), seconds_of(item.get("changed_at")), item) for item in self._changes
        ]
        if not self.moments:
            self.moments = [Moment(cached.revision, cached.fetched_at.get(FLAGS), None)]
        elif self.moments[-1].revision > 0:
            # The oldest change can be taken back as well; when the one before it was made isn't known.
            self.moments.append(Moment(self.moments[-1].revision - 1, None, None))

    def nearest(self, at: float) -> int:
        """The place in ``moments`` that was the newest at a time (server's seconds since the epoch)."""
        for place, moment in enumerate(self.moments):
            if moment.at is not None and moment.at <= at:
                return place
        return len(self.moments) - 1

    def listing(self, place: int) -> tuple[Json, list[Json]]:
        """The flags and overrides as of the place in ``moments``, as the API spells a listing, and the changes up to it."""
        revision = self.moments[place].revision
        flags = dict(self._flags)
        overrides = dict(self._overrides)
        touched: set[str] = set()
        for change in self._changes:
            if int(change["change_id"]) <= revision:
                break
            touched.add(str(change["flag_name"]))
            _take_back(change, flags, overrides)
        before = [change for change in self._changes if int(change["change_id"]) <= revision]
        for name in touched & flags.keys():
            flags[name] = _as_of(flags[name], next((item for item in before if item["flag_name"] == name), None))
        body = {
            "epoch": self.epoch,
            "revision": revision,
            "flags": list(flags.values()),
            "overrides": list(overrides.values()),
        }
        return body, before


def _unbroken(changes: Sequence[Json], revision: int) -> list[Json]:
    """The changes from ``revision`` downwards, up to the first that is missing."""
    found: list[Json] = []
    for change in changes:
        number = int(change["change_id"])
        if number > revision:
            continue
        if number != revision - len(found):
            break
        found.append(change)
    return found


def _take_back(change: Json, flags: dict[str, Json], overrides: dict[tuple[str, str], Json]) -> None:
    name, tenant, previous = str(change["flag_name"]), change.get("tenant_id"), change.get("previous")
    told = previous if isinstance(previous, Mapping) else None
    if isinstance(tenant, str):
        if told is None:
            overrides.pop((name, tenant), None)
        else:
            overrides[(name, tenant)] = {**told, "flag_name": name, "tenant_id": tenant}
    elif told is None:
        flags.pop(name, None)
        return
    if name in flags or told is not None:
        flags[name] = _before(name, flags.get(name), change, None if isinstance(tenant, str) else told)


def _before(name: str, flag: Json | None, change: Json, told: Mapping[str, Any] | None) -> Json:
    """A flag before a change. Of an archived one nothing is left but what the change tells."""
    fields = {key: value for key, value in (told or {}).items() if key not in _TOLD_ONLY}
    if flag is None:
        # Of chosen tenants only the number was told: who they were isn't known, so nobody is taken to have it.
        cohort: list[str] | None = None if (told or {}).get("canary_tenants") else []
        lists = {"canary_tenant_ids": cohort, "canary_holdout_ids": None}
        flag = {"flag_name": name, "flag_type": "feature", "current_state": "off", **lists}
    version = change.get("version")
    return {**flag, **fields, "version": version - 1 if isinstance(version, int) and version > 0 else 0}


def _as_of(flag: Json, last: Json | None) -> Json:
    """A flag with the change that was its newest then; with none where that one isn't at hand any more."""
    if last is None:
        return {**flag, "last_change": None, "updated_at": None, "updated_by": ""}
    before, after = last.get("previous") or {}, last.get("new") or {}
    told = {
        key: last.get(key)
        for key in ("change_id", "action", "change_type", "change_reason", "changed_by", "changed_at")
    }
    short = {
        **told,
        "tenant_id": last.get("tenant_id"),
        "previous_state": before.get("current_state", before.get("override_state")),
        "new_state": after.get("current_state", after.get("override_state")),
        "previous_setting": setting_of(before),
        "new_setting": setting_of(after),
    }
    return {**flag, "last_change": short, "updated_at": last.get("changed_at"), "updated_by": last.get("changed_by")}
