"""What every store must do, whatever it is made of."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from flagconsole.domain.audit import GENESIS, verify_chain
from flagconsole.domain.change import Action, ChangeType, Event
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.instance import Instance
from flagconsole.domain.requests import FlagUpdate, Kill, TenantRecord
from flagconsole.domain.role import ApiKey, Role
from flagconsole.domain.states import FlagState, FlagType
from flagconsole.store import ChangeDraft, Remembered, Store, open_store

from ..conftest import ADMIN


def a_flag(clock, name="pos.lite", **fields) -> Flag:
    return Flag(
        flag_name=name,
        current_state=fields.pop("current_state", FlagState.OFF),
        version=1,
        created_at=clock(),
        created_by="ada",
        updated_at=clock(),
        updated_by="ada",
        **fields,
    )


def a_draft(clock, flag: Flag, **fields) -> ChangeDraft:
    return ChangeDraft(
        flag=flag,
        action=fields.pop("action", Action.SET),
        change_type=ChangeType.MANUAL,
        reason=fields.pop("reason", "because"),
        changed_by="ada",
        changed_at=clock(),
        new=flag.setting.model_dump(mode="json"),
        **fields,
    )


async def apply(store: Store, draft: ChangeDraft):
    async with store.write() as tx:
        return await tx.apply(draft)


async def test_new_store_is_at_revision_0_of_its_own_epoch(store):
    async with store.read() as reader:
        head = await reader.head()
    assert head.revision == 0
    assert head.audit_hash == GENESIS
    assert head.epoch


async def test_change_makes_state_audit_entry_and_event_at_one_revision(store, clock):
    flag = a_flag(clock, flag_type=FlagType.DOMAIN, affects=("POST /x",), tags=("t",), owner="ada")
    change = await apply(store, a_draft(clock, flag))
    async with store.read() as reader:
        head = await reader.head()
        stored = await reader.flag("pos.lite")
        events = await reader.events_after(0, 10)
        log = await reader.changes()
    assert head == (change.epoch, 1, change.hash)
    assert stored == flag
    assert log == [change]
    assert [event.revision for event in events] == [1]
    assert Event.model_validate_json(events[0].body).flag == stored


async def test_revisions_and_versions_have_no_gaps_and_the_chain_verifies(store, clock):
    for number in range(5):
        await apply(store, a_draft(clock, a_flag(clock, canary_percentage=number)))
    async with store.read() as reader:
        head = await reader.head()
        log = await reader.changes_after(0, 100)
        flag = await reader.flag("pos.lite")
    assert [change.change_id for change in log] == [1, 2, 3, 4, 5]
    assert [change.version for change in log] == [1, 2, 3, 4, 5]
    assert flag.version == 5
    assert verify_chain(log, head.revision, head.audit_hash).verified


async def test_what_fails_inside_leaves_nothing_behind(store, clock):
    async def fails():
        async with store.write() as tx:
            await tx.apply(a_draft(clock, a_flag(clock)))
            await tx.remember("key", Remembered("f", "{}"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    async with store.read() as reader:
        assert (await reader.head()).revision == 0
        assert await reader.flag("pos.lite") is None
        assert await reader.events_after(0, 10) == []
        assert await reader.remembered("key") is None


async def test_discard_rolls_back_without_an_error(store, clock):
    async with store.write() as tx:
        await tx.apply(a_draft(clock, a_flag(clock)))
        tx.discard()
    async with store.read() as reader:
        assert (await reader.head()).revision == 0


async def test_concurrent_writers_follow_each_other(store, clock):
    async def write(number):
        await apply(store, a_draft(clock, a_flag(clock, name=f"a.flag{number}")))

    await asyncio.gather(*(write(number) for number in range(20)))
    async with store.read() as reader:
        log = await reader.changes_after(0, 100)
        head = await reader.head()
    assert [change.change_id for change in log] == list(range(1, 21))
    assert verify_chain(log, head.revision, head.audit_hash).verified


async def test_urgent_writers_go_before_those_that_wait(store, clock):
    order = []
    inside = asyncio.Event()
    leave = asyncio.Event()

    async def first():
        async with store.write():
            inside.set()
            await leave.wait()

    async def writer(name, urgent):
        async with store.write(urgent=urgent):
            order.append(name)

    tasks = [asyncio.create_task(first())]
    await inside.wait()
    tasks += [asyncio.create_task(writer(f"set {n}", False)) for n in range(3)]
    tasks += [asyncio.create_task(writer("kill", True))]
    await asyncio.sleep(0)  # let all of them come to the gate
    leave.set()
    await asyncio.gather(*tasks)
    assert order == ["kill", "set 0", "set 1", "set 2"]


async def test_a_cancelled_writer_does_not_block_the_next(store, clock):
    inside = asyncio.Event()

    async def stuck():
        async with store.write():
            inside.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(stuck())
    await inside.wait()
    waiting = asyncio.create_task(apply(store, a_draft(clock, a_flag(clock))))
    await asyncio.sleep(0)
    waiting.cancel()
    holding.cancel()
    await asyncio.gather(holding, waiting, return_exceptions=True)
    change = await asyncio.wait_for(apply(store, a_draft(clock, a_flag(clock, name="a.b"))), 5)
    assert change.change_id == 1


async def test_overrides_are_kept_per_tenant_and_gone_with_an_archived_flag(store, clock):
    flag = a_flag(clock)
    await apply(store, a_draft(clock, flag))
    for tenant in ("t1", "t2"):
        override = Override(
            flag_name="pos.lite",
            tenant_id=tenant,
            override_state=FlagState.ON,
            override_reason="pilot",
            expires_at=clock() + timedelta(hours=1),
            created_at=clock(),
            created_by="ada",
        )
        await apply(store, a_draft(clock, flag, tenant_id=tenant, override=override, action=Action.OVERRIDE_SET))
    async with store.read() as reader:
        assert await reader.override("pos.lite", "t2") == override
        assert len(await reader.overrides(flag_name="pos.lite")) == 2
        assert [o.tenant_id for o in await reader.overrides(tenant_id="t1")] == ["t1"]
        assert await reader.expired_overrides(clock()) == []
        assert len(await reader.expired_overrides(clock() + timedelta(hours=1))) == 2
    await apply(store, a_draft(clock, flag, tenant_id="t1", action=Action.OVERRIDE_REMOVED))
    async with store.read() as reader:
        assert [o.tenant_id for o in await reader.overrides()] == ["t2"]
    await apply(store, a_draft(clock, flag, archive=True, action=Action.ARCHIVED))
    async with store.read() as reader:
        assert await reader.overrides() == []
        assert await reader.flag("pos.lite") is None
        assert await reader.is_retired("pos.lite")
        assert await reader.flag_views() == []


async def test_history_is_paged_newest_first_by_flag_tenant_and_domain(store, clock):
    for name in ("pos.lite", "position.x", "pos.extra", "pos.lite"):
        await apply(store, a_draft(clock, a_flag(clock, name=name)))
    async with store.read() as reader:
        assert [c.change_id for c in await reader.changes(limit=2)] == [4, 3]
        assert [c.change_id for c in await reader.changes(limit=2, before=3)] == [2, 1]
        assert [c.change_id for c in await reader.changes(flag_name="pos.lite")] == [4, 1]
        assert [c.change_id for c in await reader.changes(domain="pos")] == [4, 3, 1]
        assert await reader.changes(tenant_id="t1") == []
        assert (await reader.change(2)).flag_name == "position.x"
        assert await reader.change(9) is None


async def test_views_carry_the_newest_change(store, clock):
    await apply(store, a_draft(clock, a_flag(clock), reason="first"))
    await apply(store, a_draft(clock, a_flag(clock, current_state=FlagState.ON), reason="second"))
    async with store.read() as reader:
        [view] = await reader.flag_views()
        assert await reader.flag_views("pos.lite") == [view]
        assert await reader.flag_views("no.such") == []
    assert view.last_change.change_reason == "second"
    assert view.last_change.new_state == "on"


async def test_an_answer_is_remembered_with_its_change(store, clock):
    async with store.write() as tx:
        await tx.apply(a_draft(clock, a_flag(clock)))
        await tx.remember("key-1", Remembered("finger", '{"a":1}'))
    async with store.read() as reader:
        assert await reader.remembered("key-1") == ("finger", '{"a":1}')
        assert await reader.remembered("key-2") is None


async def test_keys_are_found_by_hash_and_revoked(store, clock):
    key = ApiKey(key_id="k1", name="ci", role=Role.SDK, created_at=clock(), created_by="ada")
    async with store.write() as tx:
        await tx.add_api_key(key, "hash-1")
    async with store.read() as reader:
        assert await reader.api_key("hash-1") == key
        assert await reader.api_key("hash-2") is None
    async with store.write() as tx:
        ended = {"expires_at": clock(), "replaced_by": "k2", "revoked_at": clock(), "revoked_by": "abe"}
        await tx.save_api_key(key.model_copy(update=ended))
    async with store.read() as reader:
        assert await reader.api_key("hash-1") == key.model_copy(update=ended)


async def test_tenants_are_added_and_replaced(store):
    async with store.write() as tx:
        await tx.put_tenants([TenantRecord(tenant_id="t2"), TenantRecord(tenant_id="t1", name="One")])
        await tx.put_tenants([TenantRecord(tenant_id="t2", active=False)])
    async with store.read() as reader:
        assert await reader.tenants() == [
            TenantRecord(tenant_id="t1", name="One"),
            TenantRecord(tenant_id="t2", active=False),
        ]


async def test_instances_are_kept_by_the_server_they_report_to(store, clock):
    def instance(name):
        return Instance(
            instance_id=name, service="s", sdk_version="1", epoch="e", revision=3, last_seen=clock(), applied_at=clock()
        )

    await store.save_instances("server-a", [instance("i1"), instance("i2")])
    told = instance("i3").model_copy(update={"revision": 0, "told_revision": 7})
    await store.save_instances("server-b", [told])
    async with store.read() as reader:
        assert [i.instance_id for i in await reader.instances()] == ["i1", "i2", "i3"]
        assert await reader.instances(elsewhere_than="server-a") == [told]
        assert (await reader.instances())[0] == instance("i1")
        assert (await reader.head()).revision == 0
    await store.save_instances("server-a", [], forget=["i1"])
    async with store.read() as reader:
        assert [i.instance_id for i in await reader.instances()] == ["i2", "i3"]


async def test_events_follow_a_revision_or_say_that_they_are_gone(store, clock):
    for _ in range(3):
        await apply(store, a_draft(clock, a_flag(clock)))
    async with store.read() as reader:
        assert [e.revision for e in await reader.events_after(1, 10)] == [2, 3]
        assert [e.revision for e in await reader.events_after(0, 2)] == [1, 2]
        assert await reader.events_after(3, 10) == []


async def test_a_second_opener_sees_every_change_and_is_told_of_it(store, store_url, clock):
    other = await open_store(store_url, clock=clock)
    try:
        told = asyncio.create_task(anext(aiter(other.watch())))
        await asyncio.sleep(0)
        change = await apply(store, a_draft(clock, a_flag(clock)))
        await asyncio.wait_for(told, 2)
        async with other.read() as reader:
            assert (await reader.head()).audit_hash == change.hash
        back = await apply(other, a_draft(clock, a_flag(clock, current_state=FlagState.ON)))
        async with store.read() as reader:
            assert (await reader.head()).revision == back.change_id == 2
    finally:
        await other.close()


async def test_every_commit_makes_another_version(store, store_url, clock, monkeypatch):
    monkeypatch.setattr("flagconsole.store.sqlite.VERSION_HOLDS", 0.0)
    other = await open_store(store_url, clock=clock)
    following = asyncio.create_task(_follow(other))
    try:
        async with asyncio.timeout(30):
            while not following.done() and other.version() == 0:
                await asyncio.sleep(0.01)  # until it listens
        versions = {store.version()}
        for number in range(3):
            before = other.version()
            key = ApiKey(key_id=f"k{number}", name="ci", role=Role.SDK, created_at=clock(), created_by="ada")
            async with store.write() as tx:
                await tx.add_api_key(key, f"hash-{number}")
            versions.add(store.version())
            async with asyncio.timeout(30):
                while other.version() == before:
                    await asyncio.sleep(0.01)
        assert len(versions) == 4
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await other.close()


async def _follow(store):
    async for _ in store.watch():
        pass


async def test_everything_is_there_after_reopening(store_url, clock):
    first = await open_store(store_url, clock=clock)
    change = await apply(first, a_draft(clock, a_flag(clock)))
    await first.close()
    second = await open_store(store_url, clock=clock)
    async with second.read() as reader:
        assert await reader.changes() == [change]
        assert (await reader.head()).epoch == change.epoch
    await second.close()


async def test_a_kill_does_not_send_a_large_cohort_again(operations, store, flag):
    chosen = tuple(f"tenant-{number:05d}" for number in range(5_000))
    request = FlagUpdate(change_reason="x", current_state=FlagState.CANARY, canary_tenant_ids=chosen)
    await operations.update(ADMIN, flag, request)
    killed = await operations.kill(ADMIN, flag, Kill(kill_reason="bad"))
    async with store.read() as reader:
        events = await reader.events_after(killed.revision - 1, 10)
        kept = await reader.flag(flag)
    assert len(events[0].body) < 3_000
    assert kept.canary_tenant_ids == chosen
    assert killed.flag.canary_tenant_ids == chosen
