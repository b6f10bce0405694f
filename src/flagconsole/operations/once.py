"""A request with an idempotency key is decided once, however often and late it arrives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

from flagconsole.domain.errors import (
    BY_CODE,
    ApprovalRequired,
    FlagConsoleError,
    IdempotencyKeyReused,
    InvalidInput,
    NotAllowed,
    VersionConflict,
    VersionRequired,
)
from flagconsole.domain.role import Actor
from flagconsole.operations.permissions import Operation
from flagconsole.store.protocol import Remembered, Store, Transaction

Answer = TypeVar("Answer", bound=BaseModel)
_REFUSED: Final = "refused"
#: What may be asked again under the same key with what was missing.
_MAY_BE_PUT_RIGHT: Final = (
    ApprovalRequired,
    IdempotencyKeyReused,
    InvalidInput,
    NotAllowed,
)
#: What is refused for the version that came with it, and may come again with another.
_OF_ITS_VERSION: Final = frozenset({VersionConflict.code, VersionRequired.code})


def fingerprint_of(operation: Operation, actor: Actor, flag_name: str, request: BaseModel) -> str:
    """What makes a request the same request: who asks for what, on which flag, with which body."""
    parts = (operation.value, actor.key_id or actor.name, flag_name, request.model_dump_json())
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def fingerprint_of_parts(actor: Actor, *parts: str) -> str:
    """``fingerprint_of`` for a request whose body is told in ``parts``."""
    return hashlib.sha256("\0".join((actor.key_id or actor.name, *parts)).encode("utf-8", "replace")).hexdigest()


async def once(
    store: Store,
    work: Callable[[Transaction], Awaitable[Answer]],
    answer: type[Answer],
    key: str | None,
    fingerprint: str,
    version: int | None = None,
    *,
    dry_run: bool = False,
    urgent: bool = False,
    shares: bool = False,
    tried_again: Sequence[type[FlagConsoleError]] = (),
    mark: Callable[[Answer], Answer] | None = None,
) -> Answer:
    """Carry out ``work`` in one transaction, or give the ``answer`` that was given to this key before. A dry run is undone, and
    neither remembered nor answered from memory. ``mark`` says in an answer from memory that it is one; without it ``replayed`` is set
    where the answer has that. ``shares`` as in ``Store.write``.

    A refusal is an answer too, except one that the caller answers by trying again (``tried_again``). The first try of a request
    may hang in a server that stands still while a second one is refused elsewhere; when it goes on, what was told to have been
    refused must not happen after all. Raises ``IdempotencyKeyReused`` and what ``work`` does.
    """
    key = None if dry_run else key
    try:
        async with store.write(urgent=urgent, shares=shares) as tx:
            known = None if key is None else await _known(tx, key, version)
            if known is not None:
                return _answer(known, answer, fingerprint, mark)
            result = await work(tx)
            if dry_run:
                tx.discard()
            elif key is not None:
                await tx.remember(key, Remembered(fingerprint, result.model_dump_json()))
            return result
    except FlagConsoleError as error:
        if key is None or not 400 <= error.status < 500 or isinstance(error, (*_MAY_BE_PUT_RIGHT, *tried_again)):
            raise
        async with store.write(urgent=urgent) as tx:
            # Another try may have been carried out just now.
            known = await _known(tx, key, version)
            if known is not None:
                return _answer(known, answer, fingerprint, mark)
            await tx.remember(key, Remembered(fingerprint, _refusal(error, version)))
        raise


async def _known(tx: Transaction, key: str, version: int | None) -> Remembered | None:
    """What was answered to the key, unless that was a refusal of another version than this request's."""
    known = await tx.remembered(key)
    told = None if known is None else json.loads(known.body).get(_REFUSED)
    if told is not None and told["code"] in _OF_ITS_VERSION and told["version"] != version:
        return None
    return known


def _refusal(error: FlagConsoleError, version: int | None) -> str:
    told = {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "details": error.details,
        "version": version,
    }
    return json.dumps({_REFUSED: told}, default=str)


def _answer(
    known: Remembered, answer: type[Answer], fingerprint: str, mark: Callable[[Answer], Answer] | None
) -> Answer:
    if known.fingerprint != fingerprint:
        raise IdempotencyKeyReused("Use a new key for a new request.")
    told = json.loads(known.body).get(_REFUSED)
    if told is None:
        given = answer.model_validate_json(known.body)
        if mark is not None:
            return mark(given)
        return given.model_copy(update={"replayed": True}) if "replayed" in answer.model_fields else given
    kind = BY_CODE[told["code"]]
    error = kind.__new__(kind)
    error.hint, error.details, error.message = told["hint"], told["details"], told["message"]
    Exception.__init__(error, error.message)
    raise error
