"""A snapshot that was made from parts is the one that is made anew, after every kind of change, for everybody and for a tenant."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from flagconsole.domain.payload import FLAG_FIELDS
from flagconsole.domain.requests import Archive, FlagCreate, FlagUpdate, Kill, OverrideRemove, OverrideSet
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import SYSTEM, Operations
from flagconsole.server.projection import Projection
from flagconsole.store import Store, open_store

TENANT, OTHER = "t-größe", "t-other"


async def anew(store: Store) -> Projection:
    async with store.read() as reader:
        return Projection(await reader.head(), await reader.flag_views(), await reader.overrides())


async def followed(store: Store, projection: Projection) -> list[bytes]:
    """What the projection sends before it has heard of the newest changes, and after it has."""
    before = projection.snapshot()[0]
    async with store.read() as reader:
        for stored in await reader.events_after(projection.ruleset.revision, 100) or ():
            projection.snapshot(TENANT)  # parts are there when the next change comes
            assert projection.apply(stored) is not None
    return [before, projection.snapshot()[0]]


def told(body: bytes) -> dict[str, Any]:
    """A snapshot, whose overrides are in no order."""
    said: dict[str, Any] = json.loads(body)
    said["overrides"].sort(key=lambda override: (override["flag_name"], override["tenant_id"]))
    return said


async def test_parts_are_encoded_again_after_every_kind_of_change(tmp_path):
    store = await open_store(f"sqlite:{tmp_path / 'flags.db'}")
    try:
        operations = Operations(store)
        ends = datetime.now(UTC) + timedelta(hours=1)
        for name in ("a.kept", "a.changed"):
            await operations.create(SYSTEM, FlagCreate(flag_name=name))
        projection = await anew(store)

        def override(state: FlagState, tenant: str, expires_at: datetime | None = None) -> OverrideSet:
            return OverrideSet(override_state=state, override_reason="x", tenant_id=tenant, expires_at=expires_at)

        cohort = FlagUpdate(
            change_reason="x", current_state=FlagState.CANARY, canary_percentage=7, canary_tenant_ids=(TENANT, OTHER)
        )
        changes = {
            "a new one": lambda: operations.create(SYSTEM, FlagCreate(flag_name="a.between", dependencies=("a.kept",))),
            "a cohort": lambda: operations.update(SYSTEM, "a.changed", cohort),
            "an override": lambda: operations.set_override(SYSTEM, "a.changed", override(FlagState.ON, TENANT)),
            "of another": lambda: operations.set_override(SYSTEM, "a.changed", override(FlagState.ON, OTHER, ends)),
            "another one": lambda: operations.set_override(SYSTEM, "a.changed", override(FlagState.OFF, TENANT, ends)),
            "none": lambda: operations.remove_override(SYSTEM, "a.changed", OverrideRemove(tenant_id=TENANT)),
            "one that goes": lambda: operations.set_override(SYSTEM, "a.between", override(FlagState.ON, OTHER)),
            "a kill": lambda: operations.kill(SYSTEM, "a.changed", Kill(kill_reason="x")),
            "gone": lambda: operations.archive(SYSTEM, "a.between", Archive(change_reason="x")),
        }
        for what, change in changes.items():
            await change()
            before, after = await followed(store, projection)
            fresh = await anew(store)
            assert before != after, what
            for tenant in (None, TENANT):
                assert told(projection.snapshot(tenant)[0]) == told(fresh.snapshot(tenant)[0]), what
            for sent, of in ((after, None), (projection.snapshot(TENANT)[0], TENANT)):
                said = told(sent)
                assert (said["revision"], said.get("tenant_id")) == (fresh.ruleset.revision, of), what
                assert [flag["flag_name"] for flag in said["flags"]] == sorted(fresh.flags), what
                assert all(set(flag) == set(FLAG_FIELDS) for flag in said["flags"]), what
        assert OTHER in after.decode()
        assert OTHER not in projection.snapshot(TENANT)[0].decode()
    finally:
        await store.close()
