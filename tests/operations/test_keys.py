"""API keys: shown once, kept as a hash, made invalid for good."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from flagconsole.domain.errors import InvalidInput, KeyEnded, KeyNotFound, LastAdmin, NotAllowed, Unauthenticated
from flagconsole.domain.requests import KeyCreate, KeyRotate
from flagconsole.domain.role import Role, may
from flagconsole.operations.context import Context
from flagconsole.operations.keys import authenticate, create_key, rotate_key

from ..conftest import ADMIN, OPERATOR

OTHER = ADMIN.model_copy(update={"name": "abe"})


async def works(store, made) -> bool:
    async with store.read() as reader:
        try:
            return bool(await authenticate(reader, made.secret))
        except Unauthenticated:
            return False


async def test_a_key_works_until_it_is_revoked_and_is_nowhere_in_the_store(operations, store, tmp_path, backend):
    made = await operations.create_key(ADMIN, KeyCreate(name="ci", role=Role.SDK, tenant_id="t1"))
    async with store.read() as reader:
        actor = await authenticate(reader, made.secret)
    assert (actor.name, actor.role, actor.tenant_id) == ("ci", Role.SDK, "t1")
    assert made.secret not in (await operations.keys(ADMIN)).model_dump_json()
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert files or backend == "postgresql"
    assert not any(made.secret.encode() in content for content in files)
    revoked = await operations.revoke_key(ADMIN, made.api_key.key_id)
    assert (revoked.revoked_by, await operations.revoke_key(OTHER, made.api_key.key_id)) == ("ada", revoked)
    async with store.read() as reader:
        with pytest.raises(Unauthenticated):
            await authenticate(reader, made.secret)


async def test_names_are_unique_and_only_admins_make_keys(operations):
    request = KeyCreate(name="ci", role=Role.VIEWER)
    made = await operations.create_key(ADMIN, request)
    with pytest.raises(InvalidInput, match="name"):
        await operations.create_key(ADMIN, request)
    with pytest.raises(NotAllowed):
        await operations.create_key(OPERATOR, KeyCreate(name="other", role=Role.VIEWER))
    with pytest.raises(KeyNotFound):
        await operations.revoke_key(ADMIN, "key-nope")
    await operations.revoke_key(ADMIN, made.api_key.key_id)
    await operations.create_key(ADMIN, request)


def test_roles_are_a_ladder_with_the_sdk_beside_it():
    assert may(Role.ADMIN, Role.VIEWER)
    assert may(Role.OPERATOR, Role.OPERATOR)
    assert not may(Role.OPERATOR, Role.ADMIN)
    assert not may(Role.SDK, Role.VIEWER)
    assert all(may(role, Role.SDK) for role in Role)


async def test_a_rotated_key_works_beside_its_successor_until_the_overlap_is_over(operations, store, clock):
    old = await operations.create_key(ADMIN, KeyCreate(name="ci", role=Role.OPERATOR, tenant_id="t1"))
    new = await operations.rotate_key(OTHER, old.api_key.key_id, KeyRotate(overlap_seconds=600))
    assert (new.api_key.name, new.api_key.role, new.api_key.tenant_id) == ("ci", Role.OPERATOR, "t1")
    assert (await works(store, old), await works(store, new)) == (True, True)
    with pytest.raises(KeyEnded, match=new.api_key.key_id):
        await operations.rotate_key(ADMIN, old.api_key.key_id, KeyRotate())
    clock.forward(seconds=599)
    assert await works(store, old)
    clock.forward(seconds=1)
    assert (await works(store, old), await works(store, new)) == (False, True)
    listed = {key.key_id: key for key in (await operations.keys(ADMIN)).keys}
    assert listed[old.api_key.key_id].replaced_by == new.api_key.key_id
    at_once = await operations.rotate_key(ADMIN, new.api_key.key_id, KeyRotate(overlap_seconds=0))
    assert (await works(store, new), await works(store, at_once)) == (False, True)


async def test_a_key_with_an_end_stops_by_itself_and_rotating_it_does_not_prolong_it(operations, store, clock):
    ends = clock.at + timedelta(hours=1)
    key = await operations.create_key(ADMIN, KeyCreate(name="contractor", role=Role.VIEWER, expires_at=ends))
    new = await operations.rotate_key(ADMIN, key.api_key.key_id, KeyRotate(overlap_seconds=86_400))
    assert await works(store, key)
    clock.forward(hours=1)
    assert (await works(store, key), await works(store, new)) == (False, False)
    with pytest.raises(KeyEnded):
        await operations.rotate_key(ADMIN, new.api_key.key_id, KeyRotate())
    with pytest.raises(InvalidInput, match="expires_at"):
        await operations.create_key(ADMIN, KeyCreate(name="late", role=Role.VIEWER, expires_at=ends))


async def test_the_last_admins_key_stays_however_many_try_at_once(operations, store, clock):
    keys = [await operations.create_key(ADMIN, KeyCreate(name=f"a{n}", role=Role.ADMIN)) for n in range(3)]
    # Neither a tenant's admin, nor one that ends, nor an operator could make keys tomorrow.
    for name, extra in (("t", {"tenant_id": "t1"}), ("e", {"expires_at": clock.at + timedelta(days=1)})):
        await operations.create_key(ADMIN, KeyCreate(name=name, role=Role.ADMIN, **extra))
    await operations.create_key(ADMIN, KeyCreate(name="o", role=Role.OPERATOR))
    tries = [operations.revoke_key(ADMIN, key.api_key.key_id) for key in keys]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(isinstance(result, LastAdmin) for result in results) == [False, False, True]
    assert [await works(store, key) for key in keys].count(True) == 1


async def test_nobody_makes_or_renews_a_key_above_their_own_role(operations, store, clock):
    made = await operations.create_key(ADMIN, KeyCreate(name="root", role=Role.ADMIN))
    async with store.write() as tx:
        context = Context(OPERATOR, clock.at)
        with pytest.raises(NotAllowed):
            await create_key(tx, context, KeyCreate(name="mine", role=Role.ADMIN))
        with pytest.raises(NotAllowed):
            await rotate_key(tx, context, made.api_key.key_id, KeyRotate())
        await create_key(tx, context, KeyCreate(name="mine", role=Role.OPERATOR))
