"""API keys: shown once, kept as a hash, made invalid for good."""

from __future__ import annotations

import pytest

from flagconsole.domain.errors import InvalidInput, KeyNotFound, NotAllowed, Unauthenticated
from flagconsole.domain.requests import KeyCreate
from flagconsole.domain.role import Role, may
from flagconsole.operations.keys import authenticate

from ..conftest import ADMIN, OPERATOR


async def test_a_key_works_until_it_is_revoked_and_is_nowhere_in_the_store(operations, store, tmp_path):
    made = await operations.create_key(ADMIN, KeyCreate(name="ci", role=Role.SDK, tenant_id="t1"))
    async with store.read() as reader:
        actor = await authenticate(reader, made.secret)
    assert (actor.name, actor.role, actor.tenant_id) == ("ci", Role.SDK, "t1")
    assert made.secret not in (await operations.keys(ADMIN)).model_dump_json()
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert files
    assert not any(made.secret.encode() in content for content in files)
    await operations.revoke_key(ADMIN, made.api_key.key_id)
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
