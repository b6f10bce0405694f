"""Keys and tenants are read when they have moved, and not with every receipt of an instance."""

from __future__ import annotations

import pytest

from flagconsole.domain.instance import Instance
from flagconsole.domain.requests import FlagCreate, KeyCreate, TenantsPut
from flagconsole.domain.role import Role
from flagconsole.operations.service import Operations
from flagconsole.server.follower import Follower
from flagconsole.server.hub import Hub
from flagconsole.server.instance_book import InstanceBook
from flagconsole.store.sql_reader import SqlReader

from ..conftest import ADMIN


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def follower(store):
    hub = Hub()
    return await Follower.load(Operations(store), hub, InstanceBook(store, hub, "s"))


async def test_they_are_read_when_they_moved_and_only_then(follower, operations, store, clock, monkeypatch):
    reads: list[str] = []
    really = SqlReader.api_keys

    async def counted(self):
        reads.append("keys")
        return await really(self)

    monkeypatch.setattr(SqlReader, "api_keys", counted)

    async def follow() -> int:
        before = len(reads)
        await follower.follow_people()
        return len(reads) - before

    report = {"instance_id": "i1", "service": "pos", "sdk_version": "1", "epoch": "e", "revision": 0}
    report |= {"last_seen": clock(), "status": "current", "transport": "stream", "presence": "live"}
    for revision in range(3):
        await store.save_instances("another server", [Instance.model_validate(report | {"revision": revision})])
        assert await follow() == 0
    await operations.create(ADMIN, FlagCreate(flag_name="pos.lite"))
    assert await follow() == 0
    made = await operations.create_key(ADMIN, KeyCreate(name="pos", role=Role.SDK))
    assert (await follow() > 0, list(follower.projection.keys)) == (True, [made.api_key.key_id])
    await operations.put_tenants(ADMIN, TenantsPut.model_validate({"tenants": [{"tenant_id": "t1", "name": "One"}]}))
    assert (await follow() > 0, follower.projection.tenants) == (True, ("t1",))
    await operations.revoke_key(ADMIN, made.api_key.key_id)
    reads.clear()
    assert (await follow(), follower.projection.keys[made.api_key.key_id].revoked_at) == (1, clock())
    assert await follow() == 0
    # What somebody wrote by hand moves nothing; it is found when all is read anew from time to time.
    await follower.follow_people(anew=True)
    assert len(reads) == 2
