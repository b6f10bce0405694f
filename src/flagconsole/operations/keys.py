"""API keys: made once, shown once, kept as SHA-256, rotated and made invalid."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from flagconsole.domain.act import ActKind
from flagconsole.domain.errors import InvalidInput, KeyEnded, KeyNotFound, LastAdmin, NotAllowed, Unauthenticated
from flagconsole.domain.requests import KeyCreate, KeyRotate
from flagconsole.domain.role import Actor, ApiKey, Role, may
from flagconsole.domain.views import NewKey
from flagconsole.operations.acts import record
from flagconsole.operations.context import Context
from flagconsole.store.protocol import Presented, Reader, Store, Transaction


def key_hash(secret: str) -> str:
    """The SHA-256 of a key. Keys carry 256 random bits, so a plain hash is as good as a slow one."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


async def create_key(tx: Transaction, context: Context, request: KeyCreate) -> NewKey:
    """Make a key. Its secret is in the answer and nowhere else. Nobody makes one that may more than they may."""
    _refuse_above(context.actor, request.role)
    if request.expires_at is not None and request.expires_at <= context.now:
        raise InvalidInput(field="expires_at", problem="must be in the future", value=request.expires_at.isoformat())
    if any(key.name == request.name and key.is_valid_at(context.now) for key in await tx.api_keys()):
        raise InvalidInput(field="name", problem="another key has this name", value=request.name)
    key = ApiKey(
        key_id=_new_id(),
        name=request.name,
        role=request.role,
        tenant_id=request.tenant_id,
        created_at=context.now,
        created_by=context.actor.name,
        expires_at=request.expires_at,
    )
    await record(tx, context.actor, context.now, ActKind.KEY_CREATED, key.key_id, details=_told(key))
    return await _added(tx, key)


async def rotate_key(tx: Transaction, context: Context, key_id: str, request: KeyRotate) -> NewKey:
    """Make the key that takes the place of this one, with the same name, role and tenant. The old one is valid until the
    overlap is over (or its own end comes), then it dies; without an overlap it dies now. Raises ``KeyEnded`` for one that is
    not valid, or has been rotated."""
    old = await _existing(tx, key_id)
    if not old.is_valid_at(context.now) or old.replaced_by is not None:
        raise KeyEnded(f"Its successor is {old.replaced_by}." if old.replaced_by else "", key_id=key_id)
    _refuse_above(context.actor, old.role)
    new = ApiKey(
        key_id=_new_id(),
        name=old.name,
        role=old.role,
        tenant_id=old.tenant_id,
        created_at=context.now,
        created_by=context.actor.name,
        expires_at=old.expires_at,
    )
    over = context.now + timedelta(seconds=request.overlap_seconds)
    ends = over if old.expires_at is None else min(over, old.expires_at)
    await tx.save_api_key(old.model_copy(update={"expires_at": ends, "replaced_by": new.key_id}))
    details = _told(new) | {"replaced_by": new.key_id, "valid_until": ends.isoformat()}
    await record(tx, context.actor, context.now, ActKind.KEY_ROTATED, key_id, details=details)
    return await _added(tx, new)


async def revoke_key(tx: Transaction, context: Context, key_id: str) -> ApiKey:
    """Make a key invalid. Revoking it again changes nothing. Raises ``LastAdmin`` where nobody would be left who can make
    keys."""
    key = await _existing(tx, key_id)
    if key.revoked_at is not None:
        return key
    if key.is_valid_at(context.now) and _makes_keys(key):
        others = [other for other in await tx.api_keys() if other.key_id != key_id and _makes_keys(other)]
        if not any(other.is_valid_at(context.now) and other.expires_at is None for other in others):
            raise LastAdmin("Make another admin's key first, or rotate this one.", key_id=key_id)
    revoked = key.model_copy(update={"revoked_at": context.now, "revoked_by": context.actor.name})
    await tx.save_api_key(revoked)
    await record(tx, context.actor, context.now, ActKind.KEY_REVOKED, key_id, details=_told(key))
    return revoked


async def authenticate(reader: Reader, secret: str) -> Actor:
    """Whose key this is, with admin's rights while it has taken them. Raises ``Unauthenticated`` for one that is unknown, revoked or over."""
    now = await reader.now()
    key = await reader.api_key(key_hash(secret))
    return actor_with(Presented(now, key, None if key is None else await reader.grant_in_force(key.key_id, now)))


async def authenticated(store: Store, secret: str) -> Actor:
    """``authenticate`` where nothing else is read."""
    return actor_with(await store.presented(key_hash(secret)))


def actor_with(presented: Presented) -> Actor:
    """Who asks with this key, with admin's rights while it has taken them. Raises ``Unauthenticated`` for one that isn't valid."""
    actor, grant = actor_of(presented.key, presented.now), presented.grant
    if actor.role is not Role.OPERATOR or actor.key_id is None or actor.tenant_id is not None:
        return actor
    if grant is None or not grant.is_in_force_at(presented.now):
        return actor
    return actor.model_copy(update={"role": Role.ADMIN, "own_role": actor.role, "break_glass": grant.grant_id})


def actor_of(key: ApiKey | None, now: datetime) -> Actor:
    """Who asks with this key. Raises ``Unauthenticated`` for one that isn't valid."""
    if key is None or not key.is_valid_at(now):
        raise Unauthenticated("The server doesn't know the one that was sent, or it was revoked or has expired.")
    return Actor(name=key.name, role=key.role, tenant_id=key.tenant_id, key_id=key.key_id)


async def _existing(tx: Transaction, key_id: str) -> ApiKey:
    key = next((key for key in await tx.api_keys() if key.key_id == key_id), None)
    if key is None:
        raise KeyNotFound(key_id=key_id)
    return key


async def _added(tx: Transaction, key: ApiKey) -> NewKey:
    secret = f"fc_{key.role.value}_{secrets.token_urlsafe(32)}"
    await tx.add_api_key(key, key_hash(secret))
    return NewKey(api_key=key, secret=secret)


def _told(key: ApiKey) -> dict[str, str | None]:
    """What a key may do, as the log of acts keeps it."""
    ends = None if key.expires_at is None else key.expires_at.isoformat()
    return {"name": key.name, "role": key.role.value, "tenant_id": key.tenant_id, "expires_at": ends}


def _new_id() -> str:
    return f"key-{secrets.token_hex(6)}"


def _makes_keys(key: ApiKey) -> bool:
    return key.role is Role.ADMIN and key.tenant_id is None


def _refuse_above(actor: Actor, role: Role) -> None:
    own = actor.own_role or actor.role
    if not may(own, role):
        raise NotAllowed(required=role.value, role=own.value, operation="keys")
