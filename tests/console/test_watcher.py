"""What is asked for beside the stream, and when."""

from __future__ import annotations

from typing import Any

from flagconsole.domain.verdict import VerdictKind

from .fake_rollouts import calm

Console = Any
NAME = "pos.loyalty_points"


async def test_measurements_are_asked_for_the_flag_under_the_cursor_at_the_buckets_pace(
    server: Any, open_console: Console
) -> None:
    server.moving[NAME] = calm
    async with open_console() as console:
        await console.until(lambda: NAME in console.app.state.metrics)
        assert server.measured_windows == [(NAME, 900)]
        console.clock.now += 10
        await console.pilot.pause(0.6)
        assert server.measured_windows == [(NAME, 900)], "a bucket is 15 s wide"
        console.clock.now += 6
        await console.until(lambda: len(server.measured_windows) == 2)
        await console.press("j")
        await console.until(lambda: server.measured_windows[-1][0] == "ai.vector_search")


async def test_rollouts_and_incidents_come_at_the_start_and_then_by_the_stream(
    server: Any, open_console: Console
) -> None:
    server.rollout_of(NAME)
    server.incident_of("invoices.write")
    async with open_console() as console:
        await console.until(lambda: NAME in console.app.state.rollouts and "inc-1" in console.app.state.incidents)
        server.look(NAME, server.verdict(NAME, VerdictKind.FAIL))
        await console.until(lambda: console.app.state.rollouts[NAME].judged is not None)
        assert console.app.state.verdicts[NAME][0].kind == "fail"
        assert not console.app.bell_ringer.ring(f"failed r-{NAME} canary 10", ""), "a guard that fails has rung"
