"""The JSON of a snapshot: what evaluation needs, and no more. Each flag and each override in it is encoded once for each of its changes: all
services that start after a kill ask for the next snapshot at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic import TypeAdapter
from pydantic_core import to_json

from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.payload import FLAG_FIELDS, SCHEMA
from flagconsole.domain.tenant_view import flag_of_tenant

_FLAG: Final = TypeAdapter(Flag)
_FIELDS: Final = set(FLAG_FIELDS)

OverrideKey = tuple[str, str]


class SnapshotParts:
    """Flags and overrides of one projection as they are sent. Bytes and no objects: a hundred thousand of those would be looked through
    again and again for garbage."""

    def __init__(self) -> None:
        self._flags: dict[str, bytes] = {}
        self._overrides: dict[OverrideKey, bytes] = {}

    def forget_flag(self, name: str) -> None:
        """The flag has changed, or is gone."""
        self._flags.pop(name, None)

    def forget_override(self, key: OverrideKey) -> None:
        """The tenant's override of the flag has changed, or is gone."""
        self._overrides.pop(key, None)

    def whole(self, at: Ruleset, flags: Iterable[Flag], overrides: Iterable[Override]) -> bytes:
        """The snapshot of all these, at the ruleset's position."""
        return _body(at, map(self._flag, flags), map(self._override, overrides))

    def of_tenant(self, at: Ruleset, flags: Iterable[Flag], overrides: Iterable[Override], tenant_id: str) -> bytes:
        """What a key that is bound to the tenant sees of it."""
        own = (override for override in overrides if override.tenant_id == tenant_id)
        seen = (self._seen_by(tenant_id, flag, at) for flag in flags)
        return _body(at, seen, map(self._override, own), b',"tenant_id":%b' % to_json(tenant_id))

    def _seen_by(self, tenant_id: str, flag: Flag, at: Ruleset) -> bytes:
        seen = flag_of_tenant(flag, tenant_id, at.rules[flag.flag_name])
        return self._flag(flag) if seen is flag else _encoded(seen)

    def _flag(self, flag: Flag) -> bytes:
        made = self._flags.get(flag.flag_name)
        if made is None:
            made = self._flags[flag.flag_name] = _encoded(flag)
        return made

    def _override(self, override: Override) -> bytes:
        key = override.flag_name, override.tenant_id
        made = self._overrides.get(key)
        if made is None:
            made = self._overrides[key] = to_json(
                {
                    "flag_name": override.flag_name,
                    "tenant_id": override.tenant_id,
                    "override_state": override.override_state,
                    "expires_at": None if override.expires_at is None else override.expires_at.isoformat(),
                }
            )
        return made


def _encoded(flag: Flag) -> bytes:
    return _FLAG.dump_json(flag, include=_FIELDS)


def _body(at: Ruleset, flags: Iterable[bytes], overrides: Iterable[bytes], more: bytes = b"") -> bytes:
    told = (SCHEMA, to_json(at.epoch), at.revision, b",".join(flags), b",".join(overrides), more)
    return b'{"schema":%d,"epoch":%b,"revision":%d,"flags":[%b],"overrides":[%b]%b}' % told
