"""Random lives of flags on the real store, against a plain model that knows nothing of revisions or transactions."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from flagconsole.domain.errors import FlagConsoleError
from flagconsole.domain.requests import FlagCreate, FlagUpdate, Kill, OverrideRemove, OverrideSet, Revive, Rollback
from flagconsole.domain.states import FlagState
from flagconsole.operations.service import Operations
from flagconsole.store import open_store

from ..conftest import ADMIN, StandingClock

NAMES = ["a.one", "a.two", "b.three"]
TENANTS = ["t1", "t2"]
SETTABLE = st.sampled_from([FlagState.OFF, FlagState.SHADOW, FlagState.CANARY, FlagState.ON])


@dataclass
class ModelFlag:
    """What the model knows of a flag. ``log`` holds the undoable changes: (scope, before, after, reverted)."""

    state: FlagState = FlagState.OFF
    percentage: int = 0
    overrides: dict = field(default_factory=dict)
    log: list = field(default_factory=list)

    @property
    def setting(self):
        return (self.state, self.percentage)


class Lives(RuleBasedStateMachine):
    """create, set, kill, revive, override, expire, roll back, retry with the same key, crash and reopen."""

    keys = Bundle("keys")

    @initialize()
    def open(self):
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = StandingClock()
        self.url = f"sqlite:{Path(self.folder.name, 'flags.db')}"
        self.store = self.runner.run(open_store(self.url, clock=self.clock))
        self.model: dict[str, ModelFlag] = {}
        self.revision = 0

    def teardown(self):
        if hasattr(self, "runner"):
            self.runner.run(self.store.close())
            self.runner.close()
            self.folder.cleanup()

    @property
    def operations(self):
        return Operations(self.store)

    def ask(self, work):
        """Run one operation; None when it was refused."""
        try:
            result = self.runner.run(work)
        except FlagConsoleError:
            return None
        if result.changed and not result.replayed and not result.dry_run:
            self.revision += 1
            assert result.revision == self.revision
        return result

    def version(self, name):
        return self.runner.run(self.operations.flag(ADMIN, name)).flag.version

    @rule(name=st.sampled_from(NAMES))
    def create(self, name):
        result = self.ask(self.operations.create(ADMIN, FlagCreate(flag_name=name)))
        assert (result is not None) == (name not in self.model)
        self.model.setdefault(name, ModelFlag())

    @precondition(lambda self: self.model)
    @rule(data=st.data(), state=SETTABLE, percentage=st.integers(0, 100))
    def set(self, data, state, percentage):
        name = data.draw(st.sampled_from(sorted(self.model)))
        flag = self.model[name]
        request = FlagUpdate(change_reason="set", current_state=state, canary_percentage=percentage)
        result = self.ask(self.operations.update(ADMIN, name, request, version=self.version(name)))
        assert (result is None) == (flag.state is FlagState.KILL)
        if result is not None and (state, percentage) != flag.setting:
            flag.log.append([None, flag.setting, (state, percentage), False])
            flag.state, flag.percentage = state, percentage

    @precondition(lambda self: self.model)
    @rule(data=st.data(), target=keys)
    def kill(self, data):
        name = data.draw(st.sampled_from(sorted(self.model)))
        flag, key = self.model[name], uuid4().hex
        result = self.ask(self.operations.kill(ADMIN, name, Kill(kill_reason="bad"), idempotency_key=key))
        assert result.changed == (flag.state is not FlagState.KILL)
        if result.changed:
            flag.log.append([None, flag.setting, (FlagState.KILL, flag.percentage), False])
            flag.state = FlagState.KILL
        return name, key, result

    @rule(asked=keys)
    def retry_a_kill_with_the_same_key(self, asked):
        name, key, first = asked
        again = self.ask(self.operations.kill(ADMIN, name, Kill(kill_reason="bad"), idempotency_key=key))
        assert again.replayed
        assert again == first.model_copy(update={"replayed": True})

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def revive(self, data):
        name = data.draw(st.sampled_from(sorted(self.model)))
        flag = self.model[name]
        result = self.ask(
            self.operations.revive(ADMIN, name, Revive(revive_reason="fixed"), version=self.version(name))
        )
        assert (result is not None) == (flag.state is FlagState.KILL)
        if result is not None:
            flag.log.append([None, flag.setting, (FlagState.OFF, flag.percentage), False])
            flag.state = FlagState.OFF

    @precondition(lambda self: self.model)
    @rule(data=st.data(), tenant=st.sampled_from(TENANTS), state=SETTABLE, hours=st.none() | st.integers(1, 3))
    def override(self, data, tenant, state, hours):
        name = data.draw(st.sampled_from(sorted(self.model)))
        flag = self.model[name]
        expires = None if hours is None else self.clock() + timedelta(hours=hours)
        request = OverrideSet(override_state=state, override_reason="o", expires_at=expires, tenant_id=tenant)
        assert self.ask(self.operations.set_override(ADMIN, name, request)) is not None
        flag.log.append([tenant, flag.overrides.get(tenant), (state, expires), False])
        flag.overrides[tenant] = (state, expires)

    @precondition(lambda self: self.model)
    @rule(data=st.data(), tenant=st.sampled_from(TENANTS))
    def remove_override(self, data, tenant):
        name = data.draw(st.sampled_from(sorted(self.model)))
        flag = self.model[name]
        result = self.ask(self.operations.remove_override(ADMIN, name, OverrideRemove(tenant_id=tenant)))
        assert (result is not None) == (tenant in flag.overrides)
        if result is not None:
            flag.log.append([tenant, flag.overrides.pop(tenant), None, False])

    @rule(hours=st.integers(1, 3))
    def time_passes_and_overrides_expire(self, hours):
        self.clock.forward(hours=hours)
        expected = 0
        for flag in self.model.values():
            for tenant, (_, expires) in list(flag.overrides.items()):
                if expires is not None and expires <= self.clock():
                    del flag.overrides[tenant]
                    expected += 1
        assert self.runner.run(self.operations.expire_overrides()) == expected
        self.revision += expected

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def roll_back(self, data):
        name = data.draw(st.sampled_from(sorted(self.model)))
        flag = self.model[name]
        newest = next((entry for entry in reversed(flag.log) if not entry[3]), None)
        request = Rollback(rollback_reason="undo", allow_raise=True)
        result = self.ask(self.operations.rollback(ADMIN, name, request))
        assert (result is not None) == (newest is not None and flag.state is not FlagState.KILL)
        if result is None:
            return
        newest[3] = True
        scope, before, _, _ = newest
        if scope is None:
            flag.state, flag.percentage = before
        elif before is None or (before[1] is not None and before[1] <= self.clock()):
            flag.overrides.pop(scope, None)
        else:
            flag.overrides[scope] = before

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def dry_runs_change_nothing(self, data):
        name = data.draw(st.sampled_from(sorted(self.model)))
        assert self.ask(self.operations.kill(ADMIN, name, Kill(kill_reason="?"), dry_run=True)).dry_run

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def crash_in_the_middle_of_a_kill_and_reopen(self, data):
        name = data.draw(st.sampled_from(sorted(self.model)))

        class Crash(BaseException):
            pass

        store = self.store

        async def die():
            class Dying:
                """Stops at the last moment at which nothing is durable yet."""

                def __init__(self, connection):
                    self._connection = connection

                def __getattr__(self, attribute):
                    return getattr(self._connection, attribute)

                def commit(self):
                    raise Crash

            connection, store._writer = store._writer, Dying(store._writer)
            try:
                await Operations(store).kill(ADMIN, name, Kill(kill_reason="crash"))
            finally:
                store._writer = connection

        with suppress(Crash):
            self.runner.run(die())
        self.runner.run(self.store.close())
        self.store = self.runner.run(open_store(self.url, clock=self.clock))

    @invariant()
    def the_store_says_what_the_model_says(self):
        if not hasattr(self, "store"):
            return
        listing = self.runner.run(self.operations.flags(ADMIN))
        assert listing.revision == self.revision
        assert {f.flag_name: (f.current_state, f.canary_percentage) for f in listing.flags} == {
            name: flag.setting for name, flag in self.model.items()
        }
        assert {(o.flag_name, o.tenant_id): (o.override_state, o.expires_at) for o in listing.overrides} == {
            (name, tenant): value for name, flag in self.model.items() for tenant, value in flag.overrides.items()
        }

    @invariant()
    def the_chain_holds(self):
        if hasattr(self, "store"):
            report = self.runner.run(self.operations.verify_audit(ADMIN))
            assert report.verified
            assert report.entries == self.revision


Lives.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True)
TestLives = Lives.TestCase
