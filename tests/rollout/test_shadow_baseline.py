"""The baseline is the whole shadow phase in two halves, with the latencies that count as slow and who was broken."""

from __future__ import annotations

import json

import pytest

from flagconsole.domain.group import Group
from flagconsole.domain.sketch import LatencySketch
from flagconsole.domain.tally import Tally
from flagconsole.rollout.shadow_baseline import (
    ShadowBaseline,
    Span,
    kept_baseline,
    references_of,
    restored_baseline,
)
from flagconsole.store.metric_store import GroupBucket, MetricWrite, TenantBucket

FLAG = "pos.lite"
SINCE = 20_000 * 86_400 + 10
SPAN = Span(SINCE, SINCE + 4 * 3600)
TENANTS = ("a", "b", "c")


async def write(store, tenant, start, operations, errors=0, seconds=0.1):
    sketch = LatencySketch()
    sketch.add(seconds, operations)
    tally = Tally(operations, operations - errors, errors, 0, 0, operations, seconds * operations)
    buckets = [TenantBucket(FLAG, tenant, Group.SHADOW, start, 30, tally, sketch.to_bytes())]
    groups = [GroupBucket(FLAG, Group.SHADOW, start, 30, tally, sketch.to_bytes())]
    await store.metrics.save([MetricWrite(f"{tenant} {start}", start + 900, groups, buckets)])


@pytest.fixture
async def shadow(store):
    aligned = SINCE // 30 * 30
    for step in range(1, 480, 4):
        await write(store, "a", aligned + 30 * step, 20, seconds=0.1 if step % 3 else 0.5)
        await write(store, "b", aligned + 30 * step, 10, errors=5 if 200 <= step < 230 else 0, seconds=0.9)
    await write(store, "a", aligned, 1000, errors=1000)  # before the phase
    await write(store, "a", aligned + 30 * 481, 1000, errors=1000)  # after it
    return store.metrics


def reader(metrics, references, window=1800):
    return ShadowBaseline(metrics, FLAG, SPAN, TENANTS, references, window)


async def test_it_has_two_halves_two_limits_and_who_was_broken(shadow):
    references = await references_of(shadow, FLAG, SPAN)
    assert references.slow == pytest.approx(0.9, rel=0.02)
    assert references.slower == pytest.approx(0.5, rel=0.02)
    found = await reader(shadow, references._replace(slow=0.6, slower=0.3)).read()
    assert found.first_half.operations.tolist() == [60 * 20, 60 * 10, 0]
    assert found.second_half.operations.tolist() == [60 * 20, 60 * 10, 0]
    assert found.first_half.slow.tolist() == [0, 600, 0]
    assert (found.first_half.slower + found.second_half.slower).tolist() == [40 * 20, 1200, 0]
    assert found.first_half.errors.sum() + found.second_half.errors.sum() == 8 * 5
    assert found.broken_tenants == 1


async def test_a_reading_that_is_cut_goes_on_and_ends_the_same(shadow, monkeypatch):
    monkeypatch.setattr("flagconsole.rollout.shadow_baseline._ROWS_AT_ONCE", 10)
    references = await references_of(shadow, FLAG, SPAN)
    whole = await reader(shadow, references).read()
    original, reads = shadow.tenant_rows, 0

    async def failing(*span):
        nonlocal reads
        reads += 1
        if reads % 40 == 0:
            raise OSError("away")
        return await original(*span)

    shadow.tenant_rows = failing
    cut, shares = reader(shadow, references), []
    while True:
        try:
            found = await cut.read()
            break
        except OSError:
            shares.append(cut.share_read)
    assert len(shares) > 2
    assert shares == sorted(set(shares))
    assert kept_baseline(found) == kept_baseline(whole)


async def test_it_is_kept_with_the_judges_state(shadow):
    found = await reader(shadow, await references_of(shadow, FLAG, SPAN)).read()
    again = restored_baseline(json.loads(json.dumps(kept_baseline(found))), len(TENANTS))
    assert kept_baseline(again) == kept_baseline(found)
    assert again.rate("slower").expected.tolist() == found.rate("slower").expected.tolist()
    assert restored_baseline(kept_baseline(None), 3) is None


async def test_where_nothing_was_measured_there_is_none(store):
    references = await references_of(store.metrics, FLAG, SPAN)
    assert references == (None, None)
    assert await reader(store.metrics, references).read() is None
