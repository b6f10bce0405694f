"""Who belongs to a shadow execution: its tasks and threads, and nobody else's request."""

from __future__ import annotations

import asyncio
import queue
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread

from flagconsole.sdk.shadow import Budget, Shadow, carried, current_shadow, in_shadow
from flagconsole.sdk.shadow.guards.function import FunctionGuard

FLAG = "invoices.write"


def generous() -> Shadow:
    return Shadow(FLAG, budget=Budget(seconds=60, seconds_per_minute=1e6))


async def test_two_hundred_interleaved_requests_never_see_each_others_shadow():
    written: list[str] = []
    kept: list[str] = []
    turns = asyncio.Barrier(200)

    @FunctionGuard(answer=lambda tenant: kept.append(tenant))
    def write(tenant: str) -> None:
        written.append(tenant)

    async def work(tenant: str) -> None:
        for number in range(5):
            await asyncio.sleep(0)
            write(f"{tenant}.{number}")
            if number % 2:
                await asyncio.to_thread(write, f"{tenant}.{number}")

    async def request(number: int) -> str | None:
        await turns.wait()
        if number % 2:
            await work(f"live-{number}")
            return None if current_shadow() is None else "leaked"

        async def handler() -> str:
            await work(f"shadow-{number}")
            context = current_shadow()
            assert context is not None
            return context.tenant

        result = await generous().aexecute("write", handler, tenant=f"t{number}")
        assert (result.result, result.effect_counts) == (f"t{number}", {"function": 7})
        return None if current_shadow() is None else "leaked"

    assert set(await asyncio.gather(*(request(number) for number in range(200)))) == {None}
    assert len(written) == len(kept) == 100 * 7
    assert all(name.startswith("live-") for name in written)
    assert all(name.startswith("shadow-") for name in kept)


async def test_tasks_follow():
    async def child():
        await asyncio.sleep(0)
        return in_shadow()

    async def handler():
        return await asyncio.gather(asyncio.create_task(child()), asyncio.ensure_future(child()))

    assert (await generous().aexecute("x", handler, tenant="t")).result == [True, True]
    assert await child() is False


def test_threads_follow_whoever_wrote_their_class():
    seen: list[tuple[str, bool]] = []

    class Own(threading.Thread):
        def run(self):
            seen.append(("own", in_shadow()))

    def handler():
        for thread in (
            threading.Thread(target=lambda: seen.append(("plain", in_shadow()))),
            Own(),
            threading.Timer(0, lambda: seen.append(("timer", in_shadow()))),
        ):
            thread.start()
            thread.join()

    assert generous().execute("x", handler, tenant="t").success
    assert seen == [("plain", True), ("own", True), ("timer", True)]
    thread = threading.Thread(target=lambda: seen.append(("after", in_shadow())))
    thread.start()
    thread.join()
    assert seen[-1] == ("after", False)


def test_a_pool_that_is_first_used_in_shadow_serves_others_for_real():
    with ThreadPoolExecutor(1) as pool:
        inside = generous().execute("x", lambda: pool.submit(in_shadow).result(10), tenant="t")
        assert inside.result is True
        assert pool.submit(in_shadow).result(10) is False
        mapped = generous().execute("x", lambda: list(pool.map(lambda _: in_shadow(), range(3))), tenant="t")
        assert mapped.result == [True, True, True]


async def test_the_loops_own_pools_too():
    async def handler():
        loop = asyncio.get_running_loop()
        return (
            await asyncio.to_thread(in_shadow),
            await loop.run_in_executor(None, in_shadow),
            await anyio.to_thread.run_sync(in_shadow),
        )

    assert (await generous().aexecute("x", handler, tenant="t")).result == (True, True, True)
    assert await handler() == (False, False, False)


def test_work_for_a_queue_can_be_carried():
    work: queue.Queue = queue.Queue()
    answers: queue.Queue = queue.Queue()
    reader = threading.Thread(target=lambda: [answers.put(work.get()()) for _ in range(3)])
    reader.start()

    def handler():
        work.put(carried(in_shadow))
        work.put(in_shadow)
        return answers.get(timeout=10), answers.get(timeout=10)

    assert generous().execute("x", handler, tenant="t").result == (True, False)
    work.put(carried(in_shadow))
    assert answers.get(timeout=10) is False
    reader.join(10)
