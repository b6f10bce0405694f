"""Tells the streams that ask for it what happens to incidents."""

from __future__ import annotations

from flagconsole.operations.affected import Reach
from flagconsole.operations.incident_reading import view_of
from flagconsole.server.hub import Hub, Topic
from flagconsole.server.projection import frame
from flagconsole.server.teller import BATCH, Teller
from flagconsole.store.protocol import Store


class IncidentTeller(Teller):
    """Publishes each incident that something new was written about, as it is now."""

    what = "incidents"

    def __init__(self, store: Store, hub: Hub) -> None:
        super().__init__(store, hub)
        self._told: int | None = None

    async def tell(self) -> None:
        """Publish what is new."""
        async with self._store.read() as reader:
            if self._told is None:
                self._told = await reader.incidents_touched()
            while found := await reader.incidents_touched_after(self._told, BATCH):
                reach = Reach(reader, await reader.now())
                for touched, incident in found:
                    view = await view_of(reader, await reach.assessed(incident))
                    self._hub.publish(frame("incident", view.model_dump_json()), topic=Topic.INCIDENTS)
                    self._told = touched
