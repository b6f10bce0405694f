"""What every store must do with incidents, runs of playbooks and the outbox."""

from __future__ import annotations

from datetime import timedelta

import pytest

from flagconsole.domain.errors import PlaybookUnderWay
from flagconsole.domain.flag import Setting
from flagconsole.domain.incident import Incident
from flagconsole.domain.playbook import StepKind
from flagconsole.domain.playbook_run import Delivery, DeliveryStatus, PlaybookRun, RunStatus, StepRecord, StepStatus
from flagconsole.domain.states import FlagState


def an_incident(clock, number=1, flag="pos.lite", **fields) -> Incident:
    return Incident(
        incident_id=f"inc-{number}",
        flag_name=flag,
        trigger="killed: errors",
        opened_by="olu",
        before=Setting(current_state=FlagState.ON),
        started_at=clock(),
        **fields,
    )


def a_run(clock, run_id="inc-1-1", flag="pos.lite", **fields) -> PlaybookRun:
    return PlaybookRun(
        run_id=run_id,
        incident_id=run_id.rpartition("-")[0],
        flag_name=flag,
        playbook="immediate",
        reason="errors",
        started_by="olu",
        created_at=clock(),
        **fields,
    )


def a_step(name="disable", ordinal=0, **fields) -> StepRecord:
    return StepRecord(
        run_id="inc-1-1", step=name, ordinal=ordinal, kind=StepKind.WAIT, title=name, estimate_minutes=1, **fields
    )


def a_delivery(clock, delivery_id="d1", seconds=0, **fields) -> Delivery:
    return Delivery(
        delivery_id=delivery_id,
        incident_id="inc-1",
        topic="opened",
        audience="on_call",
        destination="pager",
        payload={"text": "é"},
        created_at=clock(),
        next_try_at=clock() + timedelta(seconds=seconds),
        **fields,
    )


async def write(store, *items):
    async with store.write() as tx:
        for item in items:
            match item:
                case Incident():
                    await tx.save_incident(item)
                case PlaybookRun():
                    await tx.save_run(item)
                case StepRecord():
                    await tx.save_step(item)
                case Delivery():
                    await tx.enqueue(item)


async def test_incidents_come_back_whole_newest_first(store, clock):
    first = an_incident(clock, affected_tenants=("t1", "t2"), change_ids=(3, 4), root_cause="é\n✓")
    second = an_incident(clock, 2, "a.b")
    await write(store, first, second)
    async with store.read() as reader:
        assert await reader.incident("inc-1") == first
        assert await reader.incident("inc-9") is None
        assert await reader.incidents() == [second, first]
        assert await reader.incidents(flag_name="pos.lite") == [first]
        assert await reader.incidents(limit=1) == [second]
        assert await reader.incident_count() == 2


async def test_open_and_waiting_incidents_are_told_apart(store, clock):
    counted = an_incident(clock, 2, affected_tenants=(), completed_at=clock())
    closed = an_incident(clock, 3, closed_at=clock(), completed_at=clock())
    await write(store, an_incident(clock), counted, closed)
    async with store.read() as reader:
        assert [item.incident_id for item in await reader.incidents(open_only=True)] == ["inc-2", "inc-1"]
        assert [item.incident_id for item in await reader.waiting_incidents(10)] == ["inc-1"]
    await write(store, an_incident(clock, closed_at=clock()))
    async with store.read() as reader:
        assert await reader.waiting_incidents(10) == []
        assert await reader.incident_count() == 3


async def test_the_incident_under_way_is_the_flags_newest_that_is_not_restored(store, clock):
    under_way = an_incident(clock, 2)
    restored, tenants = an_incident(clock, 3, completed_at=clock()), an_incident(clock, 4, tenant_id="t1")
    await write(store, an_incident(clock), under_way, restored, tenants, an_incident(clock, 5, "a.b"))
    async with store.read() as reader:
        assert await reader.incident_under_way("pos.lite") == under_way
        assert await reader.incident_under_way("no.such") is None


async def test_every_write_about_an_incident_is_seen_once_by_number(store, clock):
    async def touched_after(number):
        async with store.read() as reader:
            return [(at, item.incident_id) for at, item in await reader.incidents_touched_after(number, 10)]

    await write(store, an_incident(clock), an_incident(clock, 2, "a.b"))
    [(first, _), (second, _)] = await touched_after(0)
    async with store.read() as reader:
        assert await reader.incidents_touched() == second > first
    for item in (a_run(clock), a_step(), a_delivery(clock)):
        [*_, (newest, _)] = await touched_after(0)
        assert await touched_after(newest) == []
        await write(store, item)
        assert [name for _, name in await touched_after(newest)] == ["inc-1"]


async def test_a_flag_has_one_run_under_way(store, clock):
    await write(store, an_incident(clock), a_run(clock))
    with pytest.raises(PlaybookUnderWay):
        await write(store, a_run(clock, "inc-1-2"))
    other = a_run(clock, "inc-2-1", "a.b")
    await write(store, an_incident(clock, 2, "a.b"), other)
    over = a_run(clock).ended(RunStatus.SUPERSEDED, clock(), "took over")
    await write(store, over, a_run(clock, "inc-1-2"))
    async with store.read() as reader:
        assert [run.run_id for run in await reader.active_runs()] == ["inc-2-1", "inc-1-2"]
        assert (await reader.active_run("pos.lite")).run_id == "inc-1-2"
        assert await reader.active_run("no.such") is None
        assert await reader.runs_of("inc-1") == [over, a_run(clock, "inc-1-2")]
        assert await reader.run("inc-2-1") == other


async def test_a_step_is_there_once_and_in_order(store, clock):
    await write(store, an_incident(clock), a_run(clock), a_step("later", 1), a_step())
    done = a_step().begun(clock()).over(StepStatus.DONE, clock(), "revision 3", change_id=3)
    await write(store, done)
    async with store.read() as reader:
        assert await reader.steps_of("inc-1-1") == [done, a_step("later", 1)]


async def test_the_outbox_gives_what_is_due_and_takes_nothing_twice(store, clock):
    await write(store, an_incident(clock), a_delivery(clock, "later", 60), a_delivery(clock, "now"))
    async with store.write() as tx:
        assert not await tx.enqueue(a_delivery(clock, "now", 30))
        assert await tx.enqueue(a_delivery(clock, "unrouted", status=DeliveryStatus.UNROUTED))
    async with store.read() as reader:
        assert [item.delivery_id for item in await reader.due_deliveries(clock(), 10)] == ["now"]
        later = clock() + timedelta(seconds=60)
        assert [item.delivery_id for item in await reader.due_deliveries(later, 10)] == ["now", "later"]
        assert len(await reader.due_deliveries(later, 1)) == 1
    async with store.write() as tx:
        await tx.save_delivery(a_delivery(clock, "now", status=DeliveryStatus.DELIVERED, delivered_at=clock()))
    async with store.read() as reader:
        assert await reader.due_deliveries(clock(), 10) == []
        kept = {item.delivery_id: item for item in await reader.deliveries_of("inc-1")}
    assert set(kept) == {"now", "later", "unrouted"}
    assert kept["now"].payload == {"text": "é"}


async def test_what_is_discarded_was_never_there(store, clock):
    async with store.write() as tx:
        await tx.save_incident(an_incident(clock))
        await tx.save_run(a_run(clock))
        await tx.enqueue(a_delivery(clock))
        tx.discard()
    async with store.read() as reader:
        assert await reader.incidents() == []
        assert await reader.active_runs() == []
        assert await reader.due_deliveries(clock(), 10) == []
