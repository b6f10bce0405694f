"""What every store must do with rollouts and verdicts that are followed by number."""

from __future__ import annotations

from flagconsole.domain.rollout import Rollout, RolloutStatus, StoredVerdict
from flagconsole.domain.verdict import VerdictKind
from flagconsole.operations.plan_file import shipped_plan


def a_rollout(clock, flag="pos.lite", number=1, **fields) -> Rollout:
    plan = shipped_plan("demo").plan
    return Rollout(
        rollout_id=f"r{number}",
        flag_name=flag,
        plan=plan,
        phase=plan.phases[0].name,
        seed=1,
        started_at=clock(),
        started_by="ada",
        phase_started_at=clock(),
        expected_version=1,
        **fields,
    )


def a_look(clock, rollout) -> StoredVerdict:
    return StoredVerdict(
        rollout_id=rollout.rollout_id,
        flag_name=rollout.flag_name,
        phase=rollout.phase,
        at=clock(),
        kind=VerdictKind.NO_DATA,
    )


async def test_what_was_written_since_is_found_oldest_write_first(store, clock):
    one, other = a_rollout(clock), a_rollout(clock, "pos.full", 2)
    async with store.read() as reader:
        assert (await reader.rollouts_touched(), await reader.newest_verdict()) == (0, 0)
    async with store.write() as tx:
        await tx.save_rollout(one)
        await tx.save_rollout(other)
    async with store.read() as reader:
        seen = await reader.rollouts_touched()
        assert [rollout.rollout_id for _, rollout in await reader.rollouts_touched_after(0, 10)] == ["r1", "r2"]
        assert await reader.rollouts_touched_after(seen, 10) == []
    ended = one.ended(RolloutStatus.ABORTED, "enough", clock())
    async with store.write() as tx:
        await tx.save_rollout(ended)
    async with store.read() as reader:
        [(number, rollout)] = await reader.rollouts_touched_after(seen, 10)
        assert (number > seen, rollout) == (True, ended)
        assert [rollout.rollout_id for _, rollout in await reader.rollouts_touched_after(0, 10)] == ["r2", "r1"]
        assert len(await reader.rollouts_touched_after(0, 1)) == 1


async def test_verdicts_of_all_flags_are_found_by_number(store, clock):
    one, other = a_rollout(clock), a_rollout(clock, "pos.full", 2)
    async with store.write() as tx:
        for rollout in (one, other, one):
            await tx.add_verdict(a_look(clock, rollout))
    async with store.read() as reader:
        newest = await reader.newest_verdict()
        found = await reader.verdicts_after(newest - 2, 10)
        assert [verdict.flag_name for _, verdict in found] == ["pos.full", "pos.lite"]
        assert found[-1][0] == newest
        assert len(await reader.verdicts_after(newest - 2, 1)) == 1


async def test_looks_are_counted_by_verdict_in_a_span(store, clock):
    rollout = a_rollout(clock)
    kinds = (VerdictKind.NO_DATA, VerdictKind.PASS, VerdictKind.PASS, VerdictKind.FAIL)
    moments = []
    async with store.write() as tx:
        for kind in kinds:
            clock.forward(seconds=30)
            moments.append(clock())
            await tx.add_verdict(a_look(clock, rollout).model_copy(update={"kind": kind}))
        await tx.add_verdict(a_look(clock, a_rollout(clock, "pos.full", 2)))
    async with store.read() as reader:
        found = await reader.verdicts_by_kind("r1", moments[0], moments[2])
        assert [(item.first.kind, item.looks, item.first.at) for item in found] == [(VerdictKind.PASS, 2, moments[1])]
        assert len(await reader.verdicts_by_kind("r1", a_rollout(clock).started_at, clock())) == 0


async def test_one_rollout_is_found_by_its_id_whatever_became_of_it(store, clock):
    ended = a_rollout(clock).ended(RolloutStatus.KILLED, "errors", clock())
    async with store.write() as tx:
        await tx.save_rollout(ended)
    async with store.read() as reader:
        assert await reader.rollout("r1") == ended
        assert await reader.rollout("r2") is None
