"""What was measured of one phase so far, kept up to date look by look: only what is new, or came late, is read again.

Time is cut into slots of at most 30 s. A slot is read again as long as batches for it are still taken (a quarter of an hour)
whenever one came; the groups' rows tell that. After that it is *settled*: added to the phase's totals, which are kept with
the judge's state, so that a restart goes on where this one was. For the windows "last hour" and "last half hour" settled
slots are kept in blocks of five minutes, which bounds what is held in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.group import Group
from flagconsole.domain.judge import JudgeSettings, Observation
from flagconsole.domain.judge.packed import pack, unpack
from flagconsole.domain.sketch import MAX_BINS
from flagconsole.domain.telemetry import BUCKET_SECONDS, INCIDENT_SECONDS, LATE_SECONDS
from flagconsole.rollout.slot import COLUMNS, Integers, References, Slot, counts_of, latency_of, slot_of
from flagconsole.store.metric_store import GroupBucket, MetricStore

#: How long after its latest moment a batch may take to be written, seconds.
_WRITING_SECONDS: Final = 60


class Subject(NamedTuple):
    """What is measured: a flag's tenants in the order of the judge's assignment, since a moment (seconds since the epoch).
    ``judged`` is the group under judgement: the canary, or everybody in shadow or on."""

    flag_name: str
    since: int
    tenants: tuple[str, ...]
    judged: Group
    references: References


class Sums:
    """Counts and latencies of several slots together."""

    def __init__(self, subject: Subject) -> None:
        self.counts: Integers = np.zeros((len(COLUMNS), len(subject.tenants)), np.int64)
        self.latency = {group: np.zeros(MAX_BINS, np.int64) for group in (subject.judged, Group.CONTROL)}

    def add(self, other: Slot | Sums) -> None:
        """Add a slot, or other sums."""
        self.counts += other.counts
        for group, bins in self.latency.items():
            bins += other.latency[group]


class PhaseMeasurements:
    """One phase's measurements. ``catch_up`` reads what is new; a cut reading goes on from where it was."""

    def __init__(self, metrics: MetricStore, subject: Subject, settings: JudgeSettings) -> None:
        self._metrics = metrics
        self.subject = subject
        self._settings = settings
        self._index = {name: place for place, name in enumerate(subject.tenants)}
        self._width = int(np.clip(int(settings.block_seconds), 1, BUCKET_SECONDS))
        self._block = max(int(settings.block_seconds) // self._width, 1) * self._width
        self._settled_until = subject.since
        self._settled = Sums(subject)
        self._blocks: dict[int, Sums] = {}
        self._recalled_until = subject.since
        self._open: dict[int, Slot] = {}
        self._incidents, self._incidents_until = 0, subject.since - INCIDENT_SECONDS + 1
        self._open_incidents = 0
        self._until = subject.since

    async def catch_up(self, now: float) -> None:
        """Read what came in since the last time. Raises what the store raises; what was read until then stays."""
        until = int(now) + 1
        late = int(now) - LATE_SECONDS - BUCKET_SECONDS - _WRITING_SECONDS
        await self._recall()
        groups = await self._groups(self._settled_until, until)
        for start, rows in groups.items():
            await self._read(start, rows, until)
            if start + self._width <= late:
                self._settle(start)
        # Slots that nobody did anything in are settled all the same.
        self._settled_until = max(self._settled_until, late // self._width * self._width)
        for start in [start for start in self._open if start + self._width <= self._settled_until]:
            self._settle(start)
        self._forget(until)
        await self._count_incidents(late, until)
        self._until = until

    async def _groups(self, since: int, until: int) -> dict[int, list[GroupBucket]]:
        """The groups' rows by the slot they are in, in the order of time."""
        found: dict[int, list[GroupBucket]] = {}
        for bucket in await self._metrics.group_series(self.subject.flag_name, since, until, self._width):
            found.setdefault(bucket.start, []).append(bucket)
        return found

    async def _read(self, start: int, groups: Sequence[GroupBucket], until: int) -> None:
        known = self._open.get(start)
        if known is None or known.source != tuple(groups):
            self._open[start] = await self._slot(start, groups, max(start, self.subject.since), until)

    async def _slot(self, start: int, groups: Sequence[GroupBucket], since: int, until: int) -> Slot:
        subject = self.subject
        end = min(start + self._width, until)
        rows = await self._metrics.tenant_rows(subject.flag_name, since, end)
        compared = (subject.judged, Group.CONTROL)
        # Not on the loop that kills are served from: there may be tens of thousands of rows.
        return await asyncio.to_thread(slot_of, start, rows, groups, self._index, subject.references, compared)

    def _settle(self, start: int) -> None:
        slot = self._open.pop(start)
        self._settled.add(slot)
        self._remember(slot)
        self._settled_until = self._recalled_until = max(self._settled_until, start + self._width)
        self._forget(self._settled_until)

    def _remember(self, slot: Slot) -> None:
        block = slot.start // self._block * self._block
        if block not in self._blocks:
            self._blocks[block] = Sums(self.subject)
        self._blocks[block].add(slot)

    async def _recall(self) -> None:
        """After a restart: read the settled slots of the last hour again, for the windows."""
        if self._recalled_until >= self._settled_until:
            return
        for start, rows in (await self._groups(self._recalled_until, self._settled_until)).items():
            self._remember(await self._slot(start, rows, max(start, self.subject.since), self._settled_until))
            self._recalled_until = start + self._width
        self._recalled_until = self._settled_until

    def _forget(self, until: int) -> None:
        oldest = until - self._settings.hour_seconds - LATE_SECONDS
        self._blocks = {start: sums for start, sums in self._blocks.items() if start >= oldest}

    async def _count_incidents(self, late: int, until: int) -> None:
        """Critical errors come in windows of five minutes, which settle as slots do."""
        since = self._incidents_until + INCIDENT_SECONDS - 1
        found = await self._metrics.criticals(self.subject.flag_name, since, until)
        own = [critical.start for critical in found if critical.group is self.subject.judged]
        settled = max(self._incidents_until, (late - INCIDENT_SECONDS) // INCIDENT_SECONDS * INCIDENT_SECONDS)
        self._open_incidents = sum(start >= settled for start in own)
        self._incidents += len(own) - self._open_incidents
        self._incidents_until = settled

    def active(self, canary: NDArray[np.bool_]) -> dict[Group, int]:
        """How many tenants had operations in the phase: inside ``canary``, and outside it."""
        busy: NDArray[np.bool_] = self._settled.counts[0] > 0
        for slot in self._open.values():
            busy = busy | (slot.counts[0] > 0)
        return {Group.CONTROL: int(busy[~canary].sum()), self.subject.judged: int(busy[canary].sum())}

    def whole(self) -> Sums:
        """Everything since the phase began."""
        return self._summed([self._settled, *self._open.values()])

    def last(self, seconds: float) -> Sums:
        """The newest ``seconds`` that were measured, less at most one block. In phases of minutes, where a window can be
        shorter than a bucket, at least the newest bucket."""
        newest = max(self._open, default=self._until - self._width) + self._width
        oldest = min(newest, self._until) - seconds
        blocks = [sums for start, sums in self._blocks.items() if start >= oldest]
        return self._summed([*blocks, *(slot for slot in self._open.values() if slot.start + self._width > oldest)])

    def _summed(self, parts: Sequence[Slot | Sums]) -> Sums:
        sums = Sums(self.subject)
        for part in parts:
            sums.add(part)
        return sums

    def observation(self, now: float, fresh_seconds: float, data_age_seconds: float) -> Observation:
        """A look at the phase as of the last ``catch_up``, without the metrics that aren't counted by tenant and slot."""
        references, judged = self.subject.references, self.subject.judged
        whole, hour = self.whole(), self.last(self._settings.hour_seconds)
        half_hour = self.last(self._settings.half_hour_seconds)
        return Observation(
            seconds=max(0.0, now - self.subject.since),
            whole_phase=counts_of(whole.counts, references),
            last_hour=counts_of(hour.counts, references),
            last_half_hour=counts_of(half_hour.counts, references),
            canary_latency=latency_of(whole.latency[judged]),
            control_latency=latency_of(whole.latency[Group.CONTROL]),
            recent_canary_latency=latency_of(hour.latency[judged]),
            recent_control_latency=latency_of(hour.latency[Group.CONTROL]),
            incidents=self._incidents + self._open_incidents,
            data_age_seconds=data_age_seconds,
            fresh_seconds=fresh_seconds,
        )

    def state(self) -> dict[str, Any]:
        """What is settled; JSON."""
        return {
            "settled_until": self._settled_until,
            "counts": pack(self._settled.counts),
            "latency": {group.value: pack(bins) for group, bins in self._settled.latency.items()},
            "incidents": self._incidents,
            "incidents_until": self._incidents_until,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave. Raises ``ValueError`` or ``KeyError`` for anything else."""
        self._settled_until = self._until = int(state["settled_until"])
        self._settled.counts = unpack(state["counts"], np.int64, self._settled.counts.shape)
        self._settled.latency = {
            Group(name): unpack(text, np.int64, (MAX_BINS,)) for name, text in state["latency"].items()
        }
        self._incidents, self._incidents_until = int(state["incidents"]), int(state["incidents_until"])
        oldest = self._settled_until - int(self._settings.hour_seconds)
        # From a block's beginning, or the first one would hold a part of itself.
        self._recalled_until = max(self.subject.since, oldest // self._block * self._block)
        self._blocks, self._open = {}, {}
