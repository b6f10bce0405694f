"""What every store must do with scheduled changes and notifications."""

from __future__ import annotations

from datetime import timedelta

from flagconsole.domain.notification import Notification, Topic
from flagconsole.domain.playbook_run import DeliveryStatus
from flagconsole.domain.schedule import Schedule, ScheduleStatus, ScheduleStep
from flagconsole.domain.states import FlagState


def a_schedule(clock, number=1, **fields) -> Schedule:
    return Schedule(
        **{
            "schedule_id": f"sched-{number}",
            "flag_name": "pos.lite",
            "current_state": FlagState.ON,
            "change_reason": "go",
            "at": clock() + timedelta(hours=1),
            "decided_version": 1,
            "created_at": clock() + timedelta(seconds=number),
            "created_by": "ada",
            **fields,
        }
    )


def a_message(clock, number, subscription="team", flag="pos.lite", seconds=0, **fields) -> Notification:
    return Notification(
        notification_id=f"n{number}",
        topic=Topic.CHANGES,
        flag_name=flag,
        subscription=subscription,
        destination="chat",
        payload={"text": "x"},
        created_at=clock(),
        next_try_at=clock() + timedelta(seconds=seconds),
        **fields,
    )


async def test_open_ones_come_first_and_steps_are_taken_once(store, clock):
    one, other = a_schedule(clock, 1), a_schedule(clock, 2, flag_name="pos.full")
    over = a_schedule(clock, 3, status=ScheduleStatus.DONE)
    step = ScheduleStep(schedule_id="sched-1", step="scheduled", at=clock(), by="ada")
    async with store.write() as tx:
        for schedule in (one, other, over):
            await tx.save_schedule(schedule)
        assert await tx.take_schedule_step(step)
        assert not await tx.take_schedule_step(step)
        await tx.take_schedule_step(step.model_copy(update={"step": "carried out"}))
    async with store.read() as reader:
        assert await reader.schedules(limit=10) == [other, one, over]
        assert await reader.schedules(limit=1) == [other]
        assert await reader.schedules(flag_name="pos.lite", open_only=True, limit=10) == [one]
        assert await reader.schedules_to_tend() == [one, other]
        assert [found.step for found in await reader.schedule_steps("sched-1")] == ["scheduled", "carried out"]
        assert await reader.schedule("sched-9") is None
    async with store.write() as tx:
        await tx.save_schedule(one.model_copy(update={"status": ScheduleStatus.NEEDS_DECISION}))
    async with store.read() as reader:
        assert await reader.schedules_to_tend() == [other]
        assert len(await reader.schedules(open_only=True, limit=10)) == 2


async def test_a_message_waits_for_those_before_it_about_the_same_flag(store, clock):
    async with store.write() as tx:
        for message in (
            a_message(clock, 1, seconds=60),
            a_message(clock, 2),
            a_message(clock, 3, subscription="others"),
            a_message(clock, 4, flag="pos.full"),
        ):
            assert await tx.notify(message)
        assert not await tx.notify(a_message(clock, 4))

    async def due(now):
        async with store.read() as reader:
            return [message.notification_id for message in await reader.due_notifications(now, 10)]

    assert await due(clock()) == ["n3", "n4"]
    assert await due(clock() + timedelta(seconds=60)) == ["n1", "n3", "n4"]
    async with store.write() as tx:
        first = await tx.notification("n1")
        await tx.save_notification(first.model_copy(update={"status": DeliveryStatus.GIVEN_UP}))
    assert await due(clock()) == ["n2", "n3", "n4"]
    async with store.read() as reader:
        assert await reader.notifications_by_status() == {"waiting": 3, "given_up": 1}
        assert [message.number for message in await reader.notifications(2)] == [4, 3]


async def test_delivered_messages_are_forgotten_and_no_others(store, clock):
    async with store.write() as tx:
        await tx.notify(a_message(clock, 1, status=DeliveryStatus.DELIVERED))
        await tx.notify(a_message(clock, 2, status=DeliveryStatus.DELIVERED, seconds=60))
        await tx.notify(a_message(clock, 3, status=DeliveryStatus.GIVEN_UP))
        await tx.notify(a_message(clock, 4))
        await tx.forget_notifications(clock() + timedelta(seconds=30))
    async with store.read() as reader:
        assert [message.notification_id for message in await reader.notifications(10)] == ["n4", "n3", "n2"]


async def test_cursors_of_subscriptions_that_are_gone_are_forgotten(store):
    async with store.write() as tx:
        for name, at in (("a", 3), ("b", 5), ("a", 4)):
            await tx.save_notification_cursor(name, at)
        assert await tx.notification_cursors() == {"a": 4, "b": 5}
        await tx.keep_notification_cursors({"a"})
        assert await tx.notification_cursors() == {"a": 4}
        await tx.keep_notification_cursors(())
        assert await tx.notification_cursors() == {}
