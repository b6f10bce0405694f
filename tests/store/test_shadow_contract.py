"""What every store must do with shadow executions: count a batch once, keep them apart, and keep their size."""

from __future__ import annotations

from flagconsole.domain.execution_type import ExecutionType, Finding
from flagconsole.domain.retention import Retention
from flagconsole.domain.shadow_tally import ShadowTally
from flagconsole.store.metric_store import MetricWrite
from flagconsole.store.shadow_store import FindingRow, ShadowFound, ShadowRow, ShadowUsage

FLAG, OTHER = "pos.lite", "pos.loyalty"
DAY = 86_400
T = 20_000 * DAY
DRY = ExecutionType.DRY_RUN
ONE = ShadowTally(10, 8, 1, 2, 0.5, 6, 5, 0.4, 7, 1, 3, 2, 1, 4)


def row(tenant="t1", start=T, flag=FLAG, kind=DRY) -> ShadowRow:
    return ShadowRow(flag, tenant, kind, start, 300, ONE)


def mismatch(start=T, flag=FLAG, name="total", old="1", new="2", times=3) -> FindingRow:
    return FindingRow(flag, Finding.MISMATCH, name, "value", start, 300, times, old, new)


def write(batch_id="b-1", **rows) -> MetricWrite:
    return MetricWrite(batch_id, T + DAY, **rows)


async def test_a_batch_counts_once_and_tenants_types_and_flags_stay_apart(store):
    rows = [row(), row("t2"), row(kind=ExecutionType.VALIDATE), row(flag=OTHER), row(start=T + 300)]
    batch = write(shadow=rows, shadow_newest=[(FLAG, T + 290), (OTHER, T + 30)])
    assert await store.metrics.save([batch, batch]) == [True, False]
    assert await store.metrics.shadow_usage(FLAG, T, T + 600) == [
        ShadowUsage("t1", DRY, ONE.plus(ONE)),
        ShadowUsage("t1", ExecutionType.VALIDATE, ONE),
        ShadowUsage("t2", DRY, ONE),
    ]
    assert await store.metrics.shadow_usage(FLAG, T + 300, T + 600) == [ShadowUsage("t1", DRY, ONE)]
    await store.metrics.save([write("b-2", shadow_newest=[(FLAG, T + 60)])])
    assert [await store.metrics.shadow_newest(name) for name in (FLAG, OTHER, "no.such")] == [T + 290, T + 30, None]


async def test_findings_add_up_and_the_newest_samples_stay(store):
    await store.metrics.save([write(findings=[mismatch(), mismatch(name="lines", times=9), mismatch(flag=OTHER)])])
    again = [mismatch(T + 300, old="a", new=None), FindingRow(FLAG, Finding.ERROR, "KeyError", "handler", T, 300, 1)]
    await store.metrics.save([write("b-2", findings=again)])
    assert await store.metrics.shadow_findings(FLAG, T, T + 600) == [
        ShadowFound(Finding.MISMATCH, "lines", "value", 9, "1", "2"),
        ShadowFound(Finding.MISMATCH, "total", "value", 6, "a", None),
        ShadowFound(Finding.ERROR, "KeyError", "handler", 1, None, None),
    ]


async def test_samples_of_another_flag_are_not_shown(store):
    no_sample = FindingRow(FLAG, Finding.MISMATCH, "total", "value", T, 300, 1)
    await store.metrics.save([write(findings=[mismatch(flag=OTHER, old="secret"), no_sample])])
    assert await store.metrics.shadow_findings(FLAG, T, T + 300) == [
        ShadowFound(Finding.MISMATCH, "total", "value", 1, None, None)
    ]


async def test_older_buckets_become_an_hour_wide_and_the_oldest_go(store):
    rows = [row(start=T + 300 * number) for number in range(24)]
    await store.metrics.save(
        [write(shadow=rows, findings=[mismatch(T + 300 * number) for number in range(24)], shadow_newest=[(FLAG, T)])]
    )

    async def tidy(now):
        while await store.metrics.roll_up(now, Retention()):
            pass

    await tidy(T + 8 * DAY)
    usage = await store.metrics.shadow_usage(FLAG, T, T + 7200)
    assert [item.tally.executions for item in usage] == [240]
    assert await store.metrics.shadow_usage(FLAG, T + 300, T + 3600) == []
    assert [item.times for item in await store.metrics.shadow_findings(FLAG, T, T + 7200)] == [72]
    await tidy(T + 91 * DAY)
    assert await store.metrics.shadow_usage(FLAG, T, T + 7200) == []
    assert await store.metrics.shadow_findings(FLAG, T, T + 7200) == []
    assert await store.metrics.shadow_newest(FLAG) is None
