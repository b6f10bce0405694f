"""A server that isn't one: flags, history and a stream in memory, behind the interface that the console uses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot

from flagconsole.client.stream import ChangeFrame, Connected, Disconnected, Heartbeat, ReceiptFrame, Snapshot
from flagconsole.console import cache_writer
from flagconsole.console.app import ConsoleApp, Options
from flagconsole.console.clock import Clock, Timed
from flagconsole.console.journal import Journal
from flagconsole.console.manners import Manners
from flagconsole.console.session import Link
from flagconsole.console.theme import load_theme
from flagconsole.domain.audit import hash_of, verify_chain
from flagconsole.domain.audit_report import AuditReport
from flagconsole.domain.change import Action, Change, ChangeType
from flagconsole.domain.cohort_views import AnyCohort, CohortView
from flagconsole.domain.errors import CohortNotFound, FlagConsoleError, NothingToRollBack
from flagconsole.domain.flag import Flag, Override
from flagconsole.domain.instance import Instance
from flagconsole.domain.requests import Kill, Revive, Rollback, TenantRecord
from flagconsole.domain.role import Role
from flagconsole.domain.shadow_report import ShadowReport
from flagconsole.domain.states import FlagState
from flagconsole.domain.views import (
    ChangeResult,
    FlagDetail,
    FlagListing,
    FlagView,
    HistoryPage,
    InstanceList,
    LastChange,
    Status,
    TenantList,
    You,
)
from flagconsole.operations.undrawn_cohort import undrawn
from flagconsole.store.protocol import Head

from .fake_actions import FakeActions
from .fake_oversight import FakeOversight
from .shadow_reports import no_executions

NOW = datetime(2026, 3, 14, 3, 7, 31, tzinfo=UTC)
EPOCH = "e1"


class FakeClock(Clock):
    """Stands still until it is moved. Keys are typed at whatever time it is."""

    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return NOW.timestamp() + self.now - 1000.0

    def monotonic(self) -> float:
        return self.now

    def pressed_at(self, event: Timed) -> float:
        return self.now


class FakeServer(FakeActions, FakeOversight):
    """Keeps flags like a store would, as far as the console can tell."""

    def __init__(self) -> None:
        super().__init__(NOW)
        FakeOversight.__init__(self)
        self.flags_by_name: dict[str, Flag] = {}
        self.changes: list[Change] = []
        self.overrides: list[Override] = []
        self.instances_by_id: dict[str, Instance] = {}
        self.tenant_records = tuple(
            TenantRecord(tenant_id=f"tenant-{number:04}", name=f"Tenant {number}") for number in range(1, 501)
        )
        self.role = Role.ADMIN
        self.environment = "production"
        self.requests: list[tuple[str, str, Any, str | None]] = []
        self.failures: list[FlagConsoleError] = []
        self.fetch_failures: list[FlagConsoleError] = []
        self.answers: dict[str, ChangeResult] = {}
        self.closed = False
        self.held = asyncio.Event()
        self.held.set()
        self.streams: list[asyncio.Queue[Any]] = []
        #: Streams whose first sign of life has been taken in.
        self.greeted = 0
        self.asked_history: list[tuple[str | None, int, int | None]] = []
        self.cohorts: dict[str, CohortView] = {}
        self.shadow_reports: dict[str, ShadowReport] = {}

    # building

    @property
    def revision(self) -> int:
        return len(self.changes)

    def add(self, name: str, state: str = "off", percentage: int = 0, *, ago: float = 600.0, **more: Any) -> Flag:
        at = NOW - timedelta(seconds=ago)
        reason, who = more.pop("reason", "start"), more.pop("who", "ops1")
        flag = Flag(
            flag_name=name,
            current_state=FlagState(state),
            canary_percentage=percentage,
            version=more.pop("version", 1),
            created_at=at,
            created_by=who,
            updated_at=at,
            updated_by=who,
            **more,
        )
        self.flags_by_name[name] = flag
        self._log(flag, Action.CREATED, reason, who, at, None)
        return flag

    def instance(self, name: str, service: str = "billing", **more: Any) -> Instance:
        row = Instance(
            instance_id=name,
            service=service,
            sdk_version="0.1.0",
            epoch=EPOCH,
            revision=self.revision,
            last_seen=NOW,
            received_at=NOW,
            **more,
        )
        self.instances_by_id[name] = row
        return row

    def _log(
        self,
        flag: Flag,
        action: Action,
        reason: str,
        who: str,
        at: datetime,
        previous: dict[str, Any] | None,
        kind: ChangeType = ChangeType.MANUAL,
        **more: Any,
    ) -> Change:
        change = Change(
            change_id=self.revision + 1,
            epoch=EPOCH,
            flag_name=flag.flag_name,
            action=action,
            change_type=kind,
            previous=previous,
            new=more.pop("new", None) or flag.setting.model_dump(mode="json"),
            change_reason=reason,
            changed_by=who,
            changed_at=at,
            version=flag.version,
            previous_hash=self.changes[-1].hash if self.changes else "0" * 64,
            hash="",
            **more,
        )
        change = change.model_copy(update={"hash": hash_of(change)})
        self.changes.append(change)
        return change

    def change(
        self,
        name: str,
        state: str,
        *,
        action: Action = Action.SET,
        reason: str = "changed",
        who: str = "ci",
        percentage: int = 0,
        silent: bool = False,
        **more: Any,
    ) -> Change:
        """Change a flag as somebody else would, and tell the streams unless ``silent``."""
        old = self.flags_by_name[name]
        flag = old.model_copy(
            update={
                "current_state": FlagState(state),
                "canary_percentage": percentage,
                "version": old.version + 1,
                "updated_at": NOW,
                "updated_by": who,
            }
        )
        self.flags_by_name[name] = flag
        change = self._log(flag, action, reason, who, NOW, old.setting.model_dump(mode="json"), **more)
        if not silent:
            self.tell(change)
        return change

    def override(self, name: str, tenant: str, state: str, *, reason: str, expires_in: float | None = None) -> Change:
        """Give a tenant its own state as somebody else would, and tell the streams."""
        item = Override(
            flag_name=name,
            tenant_id=tenant,
            override_state=FlagState(state),
            override_reason=reason,
            expires_at=None if expires_in is None else NOW + timedelta(seconds=expires_in),
            created_at=NOW,
            created_by="maria",
        )
        self.overrides.append(item)
        flag = self.flags_by_name[name]
        new = item.model_dump(mode="json", include={"override_state", "override_reason", "expires_at"})
        change = self._log(flag, Action.OVERRIDE_SET, reason, "maria", NOW, None, tenant_id=tenant, new=new)
        self.tell(change, item)
        return change

    def tell(self, change: Change, override: Override | None = None) -> None:
        flag = self.flags_by_name.get(change.flag_name)
        text = json.dumps(
            {
                "epoch": EPOCH,
                "revision": change.change_id,
                "change": change.model_dump(mode="json"),
                "flag": None if flag is None else flag.model_dump(mode="json"),
                "override": None if override is None else override.model_dump(mode="json"),
            }
        )
        self.send(ChangeFrame(EPOCH, change.change_id, text))

    def confirm(self, name: str, revision: int | None = None) -> None:
        """An instance says that it has applied a revision (the newest)."""
        row = self.instances_by_id[name].model_copy(
            update={"revision": self.revision if revision is None else revision, "received_at": NOW}
        )
        self.instances_by_id[name] = row
        self.send(ReceiptFrame(row.model_dump_json()))

    def send(self, frame: Any) -> None:
        for queue in self.streams:
            queue.put_nowait(frame)

    def cut(self, problem: str = "connection reset", retry_in: float = 4.0) -> None:
        self.send(Disconnected(problem, retry_in))

    def beat(self) -> None:
        self.send(Heartbeat(EPOCH, self.revision, NOW.timestamp()))

    # the client's interface

    async def status(self) -> Status:
        self._fetching()
        by_state: dict[FlagState, int] = {}
        for flag in self.flags_by_name.values():
            by_state[flag.current_state] = by_state.get(flag.current_state, 0) + 1
        return Status(
            server_version="0.1.0",
            environment=self.environment,
            epoch=EPOCH,
            revision=self.revision,
            audit_hash="0" * 64,
            now=NOW,
            you=You(name="ops1", role=self.role),
            requires_versions=True,
            flags=len(self.flags_by_name),
            by_state=by_state,
            killed=(),
            overrides=len(self.overrides),
            tenants=len(self.tenant_records),
            instances_expected=len(self.instances_by_id),
            instances_live=len(self.instances_by_id),
            instances_behind=0,
        )

    async def flags(self, tenant_id: str | None = None) -> FlagListing:
        self._fetching()
        newest = {change.flag_name: change for change in self.changes}
        return FlagListing(
            epoch=EPOCH,
            revision=self.revision,
            now=NOW,
            flags=tuple(self._view(flag, newest) for flag in self.flags_by_name.values()),
            overrides=tuple(self.overrides),
        )

    @staticmethod
    def _view(flag: Flag, newest: dict[str, Change]) -> FlagView:
        change = newest[flag.flag_name]
        last = LastChange(
            change_id=change.change_id,
            action=change.action,
            change_type=change.change_type,
            change_reason=change.change_reason,
            changed_by=change.changed_by,
            changed_at=change.changed_at,
            tenant_id=change.tenant_id,
            previous_state=change.previous_state,
            new_state=change.new_state,
            previous_setting=change.previous_setting,
            new_setting=change.new_setting,
        )
        return FlagView(**flag.model_dump(), last_change=last)

    async def flag(self, name: str) -> FlagDetail:
        newest = {change.flag_name: change for change in self.changes}
        view = self._view(self.flags_by_name[name], newest)
        return FlagDetail(epoch=EPOCH, revision=self.revision, flag=view)

    async def instances(self) -> InstanceList:
        rows = tuple(self.instances_by_id.values())
        return InstanceList(
            epoch=EPOCH,
            revision=self.revision,
            at_revision=self.revision,
            now=NOW,
            expected=len(rows),
            confirmed=len(rows),
            instances=rows,
        )

    async def tenants(self) -> TenantList:
        return TenantList(tenants=self.tenant_records)

    async def history(
        self, flag_name: str | None = None, *, limit: int = 100, before: int | None = None
    ) -> HistoryPage:
        rows = [
            change
            for change in reversed(self.changes)
            if flag_name in {None, change.flag_name} and (before is None or change.change_id < before)
        ]
        self.asked_history.append((flag_name, limit, before))
        more = rows[limit - 1].change_id if len(rows) > limit else None
        return HistoryPage(epoch=EPOCH, revision=self.revision, changes=tuple(rows[:limit]), next_before=more)

    async def verify_audit(self) -> AuditReport:
        self._failing()
        report = verify_chain(self.changes, self.revision, self.changes[-1].hash)
        return AuditReport(
            verified=report.verified,
            entries=report.entries,
            head_revision=self.revision,
            head_hash=report.head_hash,
            first_broken=report.first_broken,
            problem=report.problem,
        )

    async def cohort(self, name: str, *, tenant_id: str | None = None, limit: int = 100, **_: Any) -> AnyCohort:
        if name in self.cohorts:
            return self.cohorts[name]
        flag, head = self.flags_by_name[name], Head(EPOCH, self.revision, "")
        if flag.current_state is FlagState.CANARY:
            return undrawn(head, flag, self.tenant_records, tenant_id=tenant_id, limit=limit)
        raise CohortNotFound(flag=name)

    async def shadow_report(self, name: str, window: int = 86_400) -> ShadowReport:
        self._failing()
        return self.shadow_reports.get(name) or no_executions(name)

    async def kill(self, name: str, body: Kill, *, idempotency_key: str | None = None) -> ChangeResult:
        async def act() -> ChangeResult:
            if self.flags_by_name[name].current_state is FlagState.KILL:
                known = next(change for change in reversed(self.changes) if change.flag_name == name)
                return self._result(name, known, changed=False)
            change = self.change(
                name, "kill", action=Action.KILLED, reason=body.kill_reason, who="ops1", kind=ChangeType.KILL_SWITCH
            )
            return self._result(name, change)

        return await self._mutate("kill", name, body, idempotency_key, act)

    async def revive(
        self, name: str, body: Revive, *, version: int | None = None, idempotency_key: str | None = None
    ) -> ChangeResult:
        async def act() -> ChangeResult:
            assert version == self.flags_by_name[name].version
            return self._result(
                name, self.change(name, "off", action=Action.REVIVED, reason=body.revive_reason, who="ops1")
            )

        return await self._mutate("revive", name, body, idempotency_key, act)

    async def rollback(
        self,
        name: str,
        body: Rollback,
        *,
        version: int | None = None,
        idempotency_key: str | None = None,
        dry_run: bool = False,
    ) -> ChangeResult:
        own = [change for change in self.changes if change.flag_name == name and change.action is Action.SET]
        if not own:
            raise NothingToRollBack(flag=name)
        undone = own[-1]
        assert undone.previous is not None
        state = undone.previous["current_state"]
        if dry_run:
            self._failing()
            old = self.flags_by_name[name]
            flag = old.model_copy(update={"current_state": FlagState(state), "version": old.version + 1})
            change = undone.model_copy(
                update={
                    "change_id": self.revision + 1,
                    "action": Action.ROLLED_BACK,
                    "reverts": (undone.change_id,),
                    "previous": old.setting.model_dump(mode="json"),
                    "new": flag.setting.model_dump(mode="json"),
                }
            )
            return ChangeResult(
                changed=True, dry_run=True, epoch=EPOCH, revision=self.revision, flag=flag, change=change
            )

        async def act() -> ChangeResult:
            change = self.change(
                name,
                state,
                action=Action.ROLLED_BACK,
                reason=body.rollback_reason,
                who="ops1",
                kind=ChangeType.ROLLBACK,
                reverts=(undone.change_id,),
            )
            return self._result(name, change)

        return await self._mutate("rollback", name, body, idempotency_key, act)

    async def _mutate(self, verb: str, name: str, body: Any, key: str | None, act: Callable[[], Any]) -> ChangeResult:
        self.requests.append((verb, name, body, key))
        await self.held.wait()
        self._failing()
        if key is not None and key in self.answers:
            return self.answers[key]
        result: ChangeResult = await act()
        if key is not None:
            self.answers[key] = result
        return result

    def _result(self, name: str, change: Change, *, changed: bool = True) -> ChangeResult:
        flag = self.flags_by_name[name]
        return ChangeResult(changed=changed, epoch=EPOCH, revision=self.revision, flag=flag, change=change)

    async def aclose(self) -> None:
        self.closed = True

    def _failing(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    def _fetching(self) -> None:
        if self.fetch_failures:
            raise self.fetch_failures[0]

    async def stream(self, position: Callable[[], tuple[str, int] | None]) -> AsyncIterator[Any]:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        self.streams.append(queue)
        try:
            yield Connected()
            yield Heartbeat(EPOCH, self.revision, NOW.timestamp())
            self.greeted += 1
            known = position()
            if known is None:
                yield Snapshot(EPOCH, self.revision, "{}")
            while True:
                yield await queue.get()
        finally:
            self.streams.remove(queue)


class Driver:
    """A console in a test: keys, time, waiting, and what is on its screen."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[int], clock: FakeClock, server: FakeServer) -> None:
        self.app = app
        self.pilot = pilot
        self.clock = clock
        self.server = server

    async def press(self, *keys: str, pause: float = 0.5) -> None:
        """Type like a person: ``pause`` seconds (of the test's clock) before each key."""
        for key in keys:
            self.clock.now += pause
            self.app.post_message(events.Key(key, key if len(key) == 1 else " " if key == "space" else None))
            await self._taken()
            await self.pilot.pause(0)
        await self.pilot.pause(0)

    async def _taken(self) -> None:
        """Wait until the app and then its screen have come to what was sent before, so that a key counts at its own time of
        the test's clock and not at a later one's."""
        for pump in (self.app, self.app.screen, self.app.focused):
            come = asyncio.Event()
            if pump is not None and pump.is_running and pump.call_later(come.set):
                await self.until(lambda come=come, pump=pump: come.is_set() or not pump.is_running)

    async def type(self, text: str, pause: float = 0.2) -> None:
        await self.press(*text, pause=pause)

    async def paste(self, text: str) -> None:
        self.app.post_message(events.Paste(text))
        await self.pilot.pause(0)

    async def until(self, what: str | Callable[[], Any], seconds: float = 20.0) -> None:
        """Wait until the screen shows a text, or something holds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not (what in self.screen() if isinstance(what, str) else what()):
            if loop.time() > deadline:
                raise AssertionError(f"not seen: {what!r}; the screen is\n{self.screen()}")
            await self.pilot.pause(0.005)

    async def settled(self) -> None:
        """Wait until everything that is counted in the background is on screen."""
        await self.until(lambda: self.app.state.loaded and len(self.app.state.reach) == len(self.app.state.flags))
        await self.until(lambda: "counting" not in self.screen())
        await self.until(lambda: self.app._painting is None)

    def rows(self) -> list[str]:
        """The screen as text, row by row."""
        height = self.app.size.height
        strips = self.app.screen._compositor.render_strips()[:height]
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips]

    def screen(self) -> str:
        return "\n".join(self.rows())


Console = Callable[..., Any]


@pytest.fixture
def server() -> FakeServer:
    """A small fleet in production: 6 flags of 3 domains, 12 instances, 500 tenants."""
    fake = FakeServer()
    fake.add("billing.retry", "on", ago=3 * 86_400, owner="payments", description="Retry failed card payments")
    fake.add("invoices.write", "on", ago=7200, dependencies=("billing.retry",), flag_type="domain")
    fake.add("invoices.auto_send", "off", ago=7000, dependencies=("invoices.write", "email.send"))
    fake.add("pos.lite", "shadow", ago=5000, who="ci", reason="shadow testing")
    fake.add("ai.vector_search", "off", ago=4000, flag_type="kill_switch")
    fake.add("pos.loyalty_points", "off", ago=3600, who="rel", reason="created", dependencies=("pos.lite",))
    fake.change("pos.loyalty_points", "canary", percentage=10, who="rel", reason="start canary", silent=True)
    for number in range(1, 13):
        fake.instance(f"{('billing', 'pos', 'ai', 'jobs')[number % 4]}-{number:02}")
    return fake


@pytest.fixture(autouse=True)
def _patient_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is written in a thread that gets a second at the end; on a busy machine its imports alone take longer."""
    monkeypatch.setattr(cache_writer, "LAST_WRITE", 30.0)


@pytest.fixture
def open_console(server: FakeServer, tmp_path: Any) -> Console:
    """Opens a console on the fake server; ``live`` waits until it shows the fleet, and with ``caught_up`` its rollouts."""

    @asynccontextmanager
    async def opened(
        size: tuple[int, int] = (80, 24), *, theme: str = "night", live: bool = True, **options: Any
    ) -> AsyncIterator[Driver]:
        clock = FakeClock()
        clock.now += options.pop("later", 0)
        if "unreachable" in options:
            server.fetch_failures = [options.pop("unreachable")]
        del server.changes[len(server.changes) - options.pop("behind", 0) :]
        wait_for, caught_up = options.pop("wait_for", None), options.pop("caught_up", True)

        async def connect() -> Link:
            if wait_for is not None:
                await wait_for()
            return Link(server, server.stream)  # type: ignore[arg-type]

        manners = {name: options.pop(name) for name in ("ascii_only", "slow_link", "bell") if name in options}
        keeper, contexts, keymap = (options.pop(name, None) for name in ("keeper", "contexts", "keymap"))
        app = ConsoleApp(
            connect,
            Options(server="http://flags-eu1:8765", log_folder=tmp_path, **options),
            load_theme(theme),
            manners=Manners(notes=False, **manners),
            contexts=contexts,
            keymap=keymap,
            keeper=keeper,
            clock=clock,
            journal=Journal(tmp_path / "journal.db"),
        )
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot, clock, server)
            # Keys that are typed before there is something to see are for nothing.
            await driver.until(lambda: app.first_painted_at < float("inf") or not app.is_running)
            if live:
                await driver.until(lambda: app.state.connection.phase.value == "live" and server.greeted)
                await driver.until(lambda: app.state.caught_up or not caught_up)
                await driver.settled()
            yield driver

    return opened
