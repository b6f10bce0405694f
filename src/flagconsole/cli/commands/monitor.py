"""``monitor``: follow a rollout line by line, and roll it back if it fails and nobody else does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import click

from flagconsole.cli.invocation import Invocation, prints
from flagconsole.cli.parameters import FLAG
from flagconsole.domain.errors import ExitCode, FlagConsoleError

if TYPE_CHECKING:
    from flagconsole.cli.backend import Backend
    from flagconsole.cli.monitor_report import Report
    from flagconsole.cli.rollout_watch import News, Wake
    from flagconsole.cli.target import Target
    from flagconsole.domain.rollout import Rollout
    from flagconsole.domain.verdict import VerdictKind

#: A look that is later than two of its intervals and these seconds is missing.
_LATE_SECONDS: Final = 15.0
_EXITS: Final = {
    "pass": ExitCode.OK,
    "fail": ExitCode.FAILED,
    "inconclusive": ExitCode.INCONCLUSIVE,
    "no_data": ExitCode.NO_DATA,
}


@click.command("monitor", epilog="Example: flagconsole monitor pos.lite --duration 30m --auto-rollback-on-failure")
@click.argument("flag", type=FLAG)
@click.option("--duration", default="30m", show_default=True, metavar="D", help="How long: 90s, 30m, 2h.")
@click.option(
    "--auto-rollback-on-failure",
    is_flag=True,
    help="Begin the rollback when the judge says fail and the controller hasn't.",
)
@click.option(
    "--playbook",
    type=click.Choice(["gradual", "immediate", "kill_switch"]),
    help="Roll back by this playbook [what the failing metric asks for].",
)
@click.option("--dry-run", is_flag=True, help="Say when it would roll back; change nothing.")
@prints
def monitor(
    invocation: Invocation,
    flag: str,
    duration: str,
    auto_rollback_on_failure: bool,
    playbook: str | None,
    dry_run: bool,
) -> None:
    """Follow the rollout of FLAG: each look of the judge, and whatever is done to it.

    Ends when the duration is over or the rollout has ended, with 0 for pass, 9 for fail or rolled back, 10 for inconclusive
    and 11 for no data.
    """
    from flagconsole.cli.monitor_report import Report
    from flagconsole.domain.duration import parse_duration

    if playbook is not None and not auto_rollback_on_failure:
        raise click.UsageError("--playbook goes with --auto-rollback-on-failure")
    seconds = parse_duration(duration, "duration", least=1, most=30 * 86_400)

    async def work(backend: Backend, target: Target) -> int:
        from flagconsole.cli.rollout_watch import waking

        watch = Watch(backend, flag, Report(invocation.as_json), seconds, auto_rollback_on_failure, playbook, dry_run)
        await watch.begin()
        async with waking(backend, target, flag) as wake:
            return await watch.until_it_ends(wake)

    click.get_current_context().exit(invocation.run(work))


@dataclass(slots=True)
class Watch:
    """One rollout, watched from when the command began."""

    backend: Backend
    flag: str
    report: Report
    seconds: int
    rolls_back: bool
    playbook: str | None
    dry_run: bool

    _rollout: Rollout | None = field(default=None, init=False)
    _newest: int | None = field(default=None, init=False)
    _deadline: float = field(default=0.0, init=False)
    _look_seen_at: float = field(default=0.0, init=False)
    _unread: FlagConsoleError | None = field(default=None, init=False)
    _troubles: dict[str, str] = field(default_factory=dict, init=False)
    _asked: bool = field(default=False, init=False)

    async def begin(self) -> None:
        """Find the rollout. Raises ``RolloutNotFound`` where none is under way."""
        from flagconsole.cli.rollout_watch import read_news
        from flagconsole.domain.errors import RolloutNotFound

        news = await read_news(self.backend, self.flag, None)
        rollout = news.detail.rollout
        if rollout is None or not rollout.status.active:
            raise RolloutNotFound("Start one, or look at: flagconsole canary-status", flag=self.flag)
        self._look_seen_at = time.monotonic()
        self._deadline = self._look_seen_at + self.seconds
        self._rollout = rollout
        self.report.began(rollout, self.seconds)
        await self._take(news)

    async def until_it_ends(self, wake: Wake) -> int:
        """Report until the time is over or the rollout has ended; the exit code."""
        from flagconsole.cli.rollout_watch import read_news

        while True:
            assert self._rollout is not None
            left = self._deadline - time.monotonic()
            if not self._rollout.status.active:
                return self._end(self._rollout.end_reason or self._rollout.status.value)
            if left <= 0:
                return self._end("the time is over")
            await wake.wait(left)
            try:
                news = await read_news(self.backend, self.flag, self._newest or 0)
            except FlagConsoleError as error:
                self._unread = error
                self._trouble("read", f"nothing can be read: {error}")
                continue
            self._unread = None
            self._trouble("read", "", over="it can be read again")
            if not self._same(news):
                return self._end("another rollout has begun")
            await self._take(news)
            away = wake.problem and f"the stream is away ({wake.problem}): reading every {wake.seconds:g} s"
            self._trouble("stream", away, over="the stream is back")
            self._notice_silence()

    def _same(self, news: News) -> bool:
        assert self._rollout is not None
        return news.detail.rollout is not None and news.detail.rollout.rollout_id == self._rollout.rollout_id

    async def _take(self, news: News) -> None:
        """Report what is new, and roll back where that is wanted and due."""
        rollout, before = news.detail.rollout, self._rollout
        assert rollout is not None
        assert before is not None
        for look in news.verdicts:
            self._newest = look.verdict_id
            self._look_seen_at = time.monotonic()
            self.report.looked(look)
        self.report.moved(before, news.detail)
        self._rollout = rollout
        if self.rolls_back and not self._asked and _fails(rollout):
            await self._roll_back(rollout)

    async def _roll_back(self, rollout: Rollout) -> None:
        """The controller rolls back in the transaction of the look that fails; where the phase fails and still runs, the
        plan leaves it to people, and so to us."""
        from flagconsole.cli.asking import ask
        from flagconsole.cli.commands.rollback import begun
        from flagconsole.domain.errors import PlaybookUnderWay, RolloutNotFound
        from flagconsole.domain.rollout import asked_playbook
        from flagconsole.domain.rollout_requests import PlaybookBegin

        assert rollout.verdict is not None
        wanted = self.playbook or asked_playbook(rollout)
        body = ask(
            PlaybookBegin,
            playbook_reason=f"monitored: {rollout.verdict.because}"[:1000],
            playbook_name=wanted,
            rollout_id=rollout.rollout_id,
        )
        try:
            detail = await self.backend.begin_playbook(self.flag, body, dry_run=self.dry_run)
        except (PlaybookUnderWay, RolloutNotFound):
            return  # somebody else was quicker; the next reading says who
        except FlagConsoleError as error:
            self._trouble("rollback", f"it fails, and could not be rolled back: {error}")
            return
        self._asked = True
        incident_id = None if self.dry_run else detail.incident.incident_id
        self.report.rolled_back(begun(detail, dry_run=self.dry_run), incident_id, dry_run=self.dry_run)

    def _notice_silence(self) -> None:
        assert self._rollout is not None
        tick = self._rollout.current_phase.tick_seconds
        silent = f"no look of the judge has come, though one is due every {tick} s: is a server running on this store?"
        self._trouble("silence", silent if self._is_silent() else "", over="it is judged again")

    def _is_silent(self) -> bool:
        assert self._rollout is not None
        patience = 2 * self._rollout.current_phase.tick_seconds + _LATE_SECONDS
        return self._rollout.status.active and time.monotonic() - self._look_seen_at > patience

    def _trouble(self, kind: str, problem: str, *, over: str = "") -> None:
        """Say it once, until it is another one; and when it is over, that."""
        before, self._troubles[kind] = self._troubles.get(kind, ""), problem
        if problem != before:
            self.report.trouble(problem or over)

    def _end(self, because: str) -> int:
        outcome, why = self._outcome()
        exit_code = _EXITS[outcome.value] if self._unread is None else self._unread.exit_code
        said = f"{because}; {why}" if why else because
        self.report.ended(said, outcome, exit_code)
        return exit_code

    def _outcome(self) -> tuple[VerdictKind, str]:
        """What it came to. A verdict that is old, or was read long ago, is none."""
        from flagconsole.domain.rollout import RolloutStatus
        from flagconsole.domain.verdict import VerdictKind

        rollout = self._rollout
        assert rollout is not None
        if self._unread is not None:
            return VerdictKind.NO_DATA, f"nothing can be read: {self._unread}"
        match rollout.status:
            case RolloutStatus.COMPLETED:
                return VerdictKind.PASS, ""
            case RolloutStatus.ROLLED_BACK | RolloutStatus.ROLLING_BACK | RolloutStatus.KILLED:
                return VerdictKind.FAIL, rollout.pause_reason if rollout.status.active else ""
            case RolloutStatus.ABORTED:
                failed = rollout.verdict is not None and rollout.verdict.kind is VerdictKind.FAIL
                return (VerdictKind.FAIL if failed else VerdictKind.INCONCLUSIVE), ""
            case RolloutStatus.RUNNING:
                pass
        if rollout.verdict is None or rollout.verdict.phase != rollout.phase:
            return VerdictKind.NO_DATA, "it was not judged yet"
        if self._is_silent():
            return VerdictKind.NO_DATA, f"nobody has judged it for {time.monotonic() - self._look_seen_at:.0f} s"
        return rollout.verdict.kind, rollout.verdict.because


def _fails(rollout: Rollout) -> bool:
    verdict = rollout.verdict
    running = rollout.status.value == "running"
    return running and verdict is not None and verdict.phase == rollout.phase and verdict.kind.value == "fail"
