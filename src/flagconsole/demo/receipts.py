"""Waiting for the fleet's receipts."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from flagconsole.client.http import Client
from flagconsole.demo.services import INSTANCES
from flagconsole.domain.instance import EXPECTED
from flagconsole.domain.views import InstanceList

_POLL_SECONDS: Final = 0.02


async def all_confirmed(client: Client, revision: int | None, seconds: float) -> InstanceList:
    """Wait until all instances of the fleet have confirmed ``revision`` (None: whatever is newest)."""
    deadline = time.monotonic() + seconds
    while True:
        instances = await client.instances(revision)
        if instances.confirmed >= INSTANCES:
            return instances
        if time.monotonic() > deadline:
            return instances
        await asyncio.sleep(_POLL_SECONDS)


def arrivals(receipts: InstanceList, epoch: str, revision: int) -> dict[str, float]:
    """When each instance's receipt for ``revision`` arrived at the server, in seconds since the epoch."""
    return {
        instance.instance_id: instance.received_at.timestamp()
        for instance in receipts.instances
        if instance.presence in EXPECTED and instance.received_at is not None and instance.confirms(epoch, revision)
    }
