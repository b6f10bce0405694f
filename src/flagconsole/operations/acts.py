"""Putting down what was done that changes no flag."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flagconsole.domain.act import ActDraft, ActKind
from flagconsole.domain.role import Actor
from flagconsole.store.protocol import Transaction


async def record(
    tx: Transaction,
    actor: Actor,
    at: datetime,
    kind: ActKind,
    subject: str,
    *,
    reason: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add to the log of acts, in the transaction of the act itself, who did what ``at`` which time."""
    await tx.record(
        ActDraft(
            kind=kind,
            subject=subject,
            by=actor.name,
            key_id=actor.key_id,
            at=at,
            reason=reason,
            details=details or {},
            break_glass=actor.break_glass,
        )
    )


def digest(text: str) -> str:
    """What proves later what a longer text was: its SHA-256 in hex."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
