"""API keys: made once, shown once, kept as SHA-256."""

from __future__ import annotations

import hashlib
import secrets

from flagconsole.domain.errors import InvalidInput, KeyNotFound, Unauthenticated
from flagconsole.domain.requests import KeyCreate
from flagconsole.domain.role import Actor, ApiKey
from flagconsole.domain.views import NewKey
from flagconsole.operations.context import Context
from flagconsole.store.protocol import Reader, Transaction


def key_hash(secret: str) -> str:
    """The SHA-256 of a key. Keys carry 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


async def create_key(tx: Transaction, context: Context, request: KeyCreate) -> NewKey:
    """Make a key. Its secret is in the answer and nowhere else."""
    if any(key.name == request.name and key.revoked_at is None for key in await tx.api_keys()):
        raise InvalidInput(field="name", problem="another key has this name", value=request.name)
    secret = f"fc_{request.role.value}_{secrets.token_urlsafe(32)}"
    key = ApiKey(
        key_id=f"key-{secrets.token_hex(6)}",
        name=request.name,
        role=request.role,
        tenant_id=request.tenant_id,
        created_at=context.now,
        created_by=context.actor.name,
    )
    await tx.add_api_key(key, key_hash(secret))
    return NewKey(api_key=key, secret=secret)


async def revoke_key(tx: Transaction, context: Context, key_id: str) -> ApiKey:
    """Make a key invalid. Revoking it again changes nothing."""
    key = next((key for key in await tx.api_keys() if key.key_id == key_id), None)
    if key is None:
        raise KeyNotFound(key_id=key_id)
    if key.revoked_at is not None:
        return key
    await tx.revoke_api_key(key_id, context.now)
    return key.model_copy(update={"revoked_at": context.now})


async def authenticate(reader: Reader, secret: str) -> Actor:
    """Whose key this is. Raises ``Unauthenticated`` for one that is unknown or revoked."""
    key = await reader.api_key(key_hash(secret))
    if key is None or key.revoked_at is not None:
        raise Unauthenticated("Send a valid key as 'Authorization: Bearer KEY'.")
    return Actor(name=key.name, role=key.role, tenant_id=key.tenant_id, key_id=key.key_id)
