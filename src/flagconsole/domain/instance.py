"""Instances: running SDKs, and the receipts they give for the revisions they have applied."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import AwareDatetime, Field

from flagconsole.domain.flag import Frozen
from flagconsole.domain.names import Label
from flagconsole.domain.written_time import WrittenMoment

#: An instance that was heard from within this many seconds counts as live.
LIVE_SECONDS: Final = 30.0
#: A silent instance may still serve old state, so it is waited for this long after it was last heard from.
EXPECTED_SECONDS: Final = 600.0
#: How the ids of Unleash's clients begin.
UNLEASH: Final = "unleash:"


class Presence(StrEnum):
    """How sure we are that an instance still runs."""

    LIVE = "live"
    SILENT = "silent"
    LOST = "lost"
    LEFT = "left"


class Receipt(Frozen):
    """One revision that an instance has applied; ``applied_at`` by the instance's clock."""

    revision: Annotated[int, Field(ge=0)]
    applied_at: WrittenMoment


class ReceiptBatch(Frozen):
    """What an instance reports: receipts since the last report (empty for a mere sign of life), and who it is."""

    service: Label
    sdk_version: Label
    epoch: Annotated[str, Field(max_length=64)]
    status: Annotated[str, Field(pattern="^(ready|stale|error)$")] = "ready"
    transport: Annotated[str, Field(pattern="^(stream|polling)$")] = "stream"
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=1000)] = ()
    leaving: bool = False


class Instance(Frozen):
    """One running SDK as the server knows it.

    ``revision`` is the newest revision it has confirmed; ``applied_at`` when, by its own clock; ``received_at`` when that
    confirmation arrived, by the server's clock. ``told_revision`` is the newest revision that was written to the open stream
    of a client that has no way to confirm any; None for all others.
    """

    instance_id: str
    service: str
    sdk_version: str
    epoch: str
    revision: int
    applied_at: AwareDatetime | None = None
    received_at: AwareDatetime | None = None
    last_seen: AwareDatetime
    status: str = "ready"
    transport: str = "stream"
    presence: Presence = Presence.LIVE
    told_revision: int | None = None

    @property
    def can_confirm(self) -> bool:
        """Whether it ever says what it holds: all do but Unleash's clients on a stream."""
        return self.told_revision is None

    def confirms(self, epoch: str, revision: int) -> bool:
        """Whether this instance has applied ``revision`` of ``epoch``."""
        return self.can_confirm and self.epoch == epoch and self.revision >= revision

    def told(self, epoch: str, revision: int) -> bool:
        """Whether this instance can't confirm ``revision`` of ``epoch``, and it went down its open stream. What the client
        made of it isn't known, nor even that it arrived."""
        return self.told_revision is not None and self.epoch == epoch and self.told_revision >= revision


def id_under(instance_id: str, tenant_id: str | None) -> str:
    """The id that an instance goes by when it reports with a key of this tenant: no such key can speak for an instance of
    anybody else."""
    return instance_id if tenant_id is None else f"{instance_id}@{quote(tenant_id, safe='')}"


def presence_of(seconds_since_seen: float, left: bool) -> Presence:
    """The presence of an instance that was last heard from so long ago."""
    if left:
        return Presence.LEFT
    if seconds_since_seen <= LIVE_SECONDS:
        return Presence.LIVE
    return Presence.SILENT if seconds_since_seen <= EXPECTED_SECONDS else Presence.LOST


#: Instances with these presences are waited for before a kill counts as confirmed everywhere.
EXPECTED = frozenset({Presence.LIVE, Presence.SILENT})
