"""Tells the streams that ask for it what happens to rollouts, and what the judge says of them."""

from __future__ import annotations

from flagconsole.domain.rollout_views import NumberedVerdict
from flagconsole.server.hub import Hub, Topic
from flagconsole.server.projection import frame
from flagconsole.server.teller import BATCH, Teller
from flagconsole.store.protocol import Store


class RolloutTeller(Teller):
    """Publishes each new verdict, then each rollout that was written, as it is now."""

    what = "rollouts"

    def __init__(self, store: Store, hub: Hub) -> None:
        super().__init__(store, hub)
        self._told: tuple[int, int] | None = None

    async def tell(self) -> None:
        """Publish what is new. A look's verdict comes before the rollout that it made move."""
        async with self._store.read() as reader:
            if self._told is None:
                self._told = await reader.newest_verdict(), await reader.rollouts_touched()
            judged, touched = self._told
            while looks := await reader.verdicts_after(judged, BATCH):
                for judged, verdict in looks:
                    numbered = NumberedVerdict(verdict_id=judged, verdict=verdict)
                    self._hub.publish(frame("verdict", numbered.model_dump_json()), topic=Topic.ROLLOUTS)
                    self._told = judged, touched
            while found := await reader.rollouts_touched_after(touched, BATCH):
                for touched, rollout in found:
                    self._hub.publish(frame("rollout", rollout.model_dump_json()), topic=Topic.ROLLOUTS)
                    self._told = judged, touched
