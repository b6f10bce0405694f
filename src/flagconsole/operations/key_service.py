"""The use cases of API keys; a part of ``Operations``."""

from __future__ import annotations

from flagconsole.domain import requests as ask
from flagconsole.domain.role import Actor, ApiKey
from flagconsole.domain.views import KeyList, NewKey
from flagconsole.operations import keys
from flagconsole.operations.context import Context
from flagconsole.operations.permissions import Operation, authorize
from flagconsole.store.protocol import Store


class KeyOperations:
    """The keys of one store."""

    store: Store

    async def keys(self, actor: Actor) -> KeyList:
        """All keys, without their secrets."""
        authorize(actor, Operation.KEYS)
        async with self.store.read() as reader:
            return KeyList(keys=tuple(await reader.api_keys()))

    async def create_key(self, actor: Actor, request: ask.KeyCreate) -> NewKey:
        """Make an API key; the answer is the only place that shows it."""
        authorize(actor, Operation.KEYS)
        async with self.store.write() as tx:
            return await keys.create_key(tx, Context(actor, await tx.now()), request)

    async def rotate_key(self, actor: Actor, key_id: str, request: ask.KeyRotate) -> NewKey:
        """Make the key that takes this one's place; both are valid until the overlap is over."""
        authorize(actor, Operation.KEYS)
        async with self.store.write() as tx:
            return await keys.rotate_key(tx, Context(actor, await tx.now()), key_id, request)

    async def revoke_key(self, actor: Actor, key_id: str) -> ApiKey:
        """Make an API key invalid."""
        authorize(actor, Operation.KEYS)
        async with self.store.write() as tx:
            return await keys.revoke_key(tx, Context(actor, await tx.now()), key_id)
