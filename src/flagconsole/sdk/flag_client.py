"""``FlagClient``: what a service asks which state a flag has for a tenant."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from flagconsole.domain.evaluation import Evaluation, Reason
from flagconsole.domain.states import UNDER_WAY, FlagState
from flagconsole.sdk import forking
from flagconsole.sdk.held import Held
from flagconsole.sdk.listeners import Listener, Listeners
from flagconsole.sdk.operation import Criticals, Operation, TenantOf
from flagconsole.sdk.settings import (
    Settings,
    default_cache_dir,
    default_instance,
    forked_instance,
    instance_id,
    service_name,
)
from flagconsole.sdk.status import ClientStatus, Counters, Health

if TYPE_CHECKING:
    from flagconsole.sdk.engine import Engine
    from flagconsole.sdk.shadow_log import Executed
    from flagconsole.sdk.usage import Counts, Values

Result = TypeVar("Result")

POLL_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0
_OFF, _SHADOW, _CANARY, _ON = FlagState.OFF, FlagState.SHADOW, FlagState.CANARY, FlagState.ON
_KILL: Final = FlagState.KILL
#: The engines of parent processes.
_inherited: list[Engine] = []


class FlagClient:
    """Evaluates flags in this process, from rules that a background thread keeps true.

    Asking takes no lock and no I/O, and never raises: what is unknown is ``off``. Rules never go back to an older position,
    not even after a restart. Before any rules have arrived, and where ``max_age`` forbids to use the ones at hand, all is
    ``off`` with the reason ``stale``; otherwise the last good rules are used however old they are, and ``status`` says so.

    ``instance`` names this process among all (default: host, process id and something random); characters that an URL
    can't hold become ``-``. ``service`` names the program. ``cache_dir`` is where the last good rules are kept (default: the
    user's cache folder; ``False``: nowhere). ``poll_seconds`` apply where no stream can be had, or with ``stream=False``.
    ``max_age`` in seconds since the server last confirmed the rules. What is recorded is counted in buckets of
    ``bucket_seconds``, a divisor of 30. ``kill_list`` is a file that is watched, and whose flags are killed here whatever
    the server says or doesn't (default: ``FLAGCONSOLE_KILL_LIST``, else none); with ``kill_list_key`` (default:
    ``FLAGCONSOLE_KILL_LIST_KEY``) only lists that are signed with it are obeyed. With ``start=False`` nothing happens before
    ``start()``. Raises ``TypeError`` or ``ValueError`` for arguments of a wrong kind, such as an empty URL, and for nothing
    else: a server that can't be reached is a status.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        instance: str | None = None,
        *,
        service: str | None = None,
        cache_dir: str | os.PathLike[str] | Literal[False] | None = None,
        poll_seconds: float = POLL_SECONDS,
        stream: bool = True,
        max_age: float | None = None,
        bucket_seconds: int = 30,
        kill_list: str | os.PathLike[str] | None = None,
        kill_list_key: str | None = None,
        start: bool = True,
    ) -> None:
        for name, value in (("url", url), ("api_key", api_key)):
            if not isinstance(value, str):
                raise TypeError(f"{name} must be a string, not {type(value).__name__}")
            if not value.strip():
                raise ValueError(f"{name} must not be empty")
        for name, seconds in (("poll_seconds", poll_seconds), ("max_age", max_age)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} must be more than 0 seconds (got {seconds!r})")
        from flagconsole.sdk.shadow_log import ShadowLog
        from flagconsole.sdk.usage import BUCKET_WIDTHS, Usage

        if bucket_seconds not in BUCKET_WIDTHS:
            raise ValueError(f"bucket_seconds must be one of {BUCKET_WIDTHS} (got {bucket_seconds!r})")
        self._settings = Settings(
            url.strip(),
            api_key.strip(),
            instance_id(instance) if instance else default_instance(),
            service_name(service),
            "" if cache_dir is False else os.fspath(cache_dir) if cache_dir is not None else default_cache_dir(),
            poll_seconds,
            stream,
            max_age,
            bucket_seconds,
            os.fspath(kill_list) if kill_list is not None else os.environ.get("FLAGCONSOLE_KILL_LIST", ""),
            kill_list_key or os.environ.get("FLAGCONSOLE_KILL_LIST_KEY") or None,
        )
        self._family = self._settings.instance
        self._counters = Counters()
        self._held = Held(max_age)
        self._listeners = Listeners(self._counters)
        self._usage = Usage(bucket_seconds)
        self._shadow = ShadowLog(bucket_seconds)
        self._engine: Engine | None = None
        self._closed = False
        forking.register(self)
        if start:
            self.start()

    def start(self) -> None:
        """Load what is cached, and begin to follow the server in the background. Once is enough."""
        if self._engine is None and not self._closed:
            # Only now, since asyncio and what else it needs are half of what importing this package would cost.
            from flagconsole.sdk.engine import Engine

            self._engine = Engine(
                self._settings, self._held, self._listeners, self._counters, self._usage, self._shadow
            )
            self._finalizer = weakref.finalize(self, self._engine.request_stop)
            self._finalizer.atexit = False
            self._engine.start()

    def state(self, flag: str, tenant: str) -> FlagState:
        """The effective state of ``flag`` for ``tenant``."""
        try:
            known = self._held.known((flag, tenant))
        except Exception:
            known = None
        return self._evaluate(flag, tenant).state if known is None else known.state

    def is_enabled(self, flag: str, tenant: str) -> bool:
        """Whether the feature runs for real: ``canary`` or ``on``."""
        state = self.state(flag, tenant)
        return state is _ON or state is _CANARY

    def is_shadow(self, flag: str, tenant: str) -> bool:
        """Whether the feature runs read-only."""
        return self.state(flag, tenant) is _SHADOW

    def evaluate(self, flag: str, tenant: str) -> Evaluation:
        """The effective state with its reason and the revision that it was computed from; -1 without any data."""
        try:
            known = self._held.known((flag, tenant))
        except Exception:
            known = None
        return self._evaluate(flag, tenant) if known is None else known

    def evaluate_for_all(self, flag: str) -> Evaluation | None:
        """The effective state that every tenant gets; None where it depends on the tenant."""
        ruleset = self._held.served
        if ruleset is None or not isinstance(flag, str) or self._killed_here(flag) or self._held.too_old():
            return self._evaluate(flag, "")
        return ruleset.evaluate_for_all(flag, self._held.server_time())

    def version(self, flag: str) -> int | None:
        """The version of the flag that answers come from; None for a flag that isn't known."""
        ruleset = self._held.served
        rule = None if ruleset is None else ruleset.rules.get(flag)
        return None if rule is None else rule.version

    def flags_under_way(self) -> list[str]:
        """The flags that are in shadow or canary now, by name."""
        ruleset = self._held.served
        return (
            [] if ruleset is None else sorted(name for name, rule in ruleset.rules.items() if rule.state in UNDER_WAY)
        )

    def with_flag(
        self, flag: str, tenant: str, fn: Callable[[], Result], fallback: Callable[[], Result] | Result
    ) -> Result:
        """``fn()`` where the feature is enabled, otherwise ``fallback``, which is called if it can be.

        What ``fn`` and ``fallback`` raise is the caller's.
        """
        if self.is_enabled(flag, tenant):
            return fn()
        return fallback() if callable(fallback) else fallback

    def operation(self, flag: str, tenant: TenantOf, *, critical: Criticals = ()) -> Operation:
        """One operation that ``flag`` guards, as a block (``with`` and ``async with``): evaluated once, timed, counted.

        As a decorator each call is an operation, and ``tenant`` may be a function that finds the tenant among the call's
        arguments. Exceptions of the classes in ``critical`` count as critical errors. Never raises, swallows nothing.
        """
        return Operation(self, flag, tenant, critical)

    def record(
        self,
        flag: str,
        tenant: str,
        *,
        ok: bool = True,
        seconds: float | None = None,
        critical: object = None,
        conversion: bool = False,
        values: Values | None = None,
        counts: Counts | None = None,
        evaluation: Evaluation | None = None,
    ) -> None:
        """Count one operation that ``flag`` guards, also where the feature is off: those tenants are what a canary is
        compared with.

        ``seconds`` is how long it took, ``critical`` the fingerprint of a critical error (a text, or the exception),
        ``conversion`` whether somebody did what the feature is for. ``values`` are metrics of one's own: ``True`` and
        ``False`` make a share, numbers a mean; ``counts`` add up. ``evaluation`` is the one that the operation went by
        (default: the present one). Takes microseconds, never raises, and sends nothing itself.
        """
        try:
            self._usage.record(
                self.evaluate(flag, tenant) if evaluation is None else evaluation,
                tenant,
                self._held.server_time(),
                ok=ok,
                seconds=seconds,
                critical=critical,
                conversion=conversion,
                values=values,
                counts=counts,
            )
        except Exception:  # whatever it was given: the operation itself is what matters
            self._usage.ignored += 1

    def record_shadow(self, executed: Executed) -> None:
        """Count one shadow execution, for the flag's shadow report. ``Shadow`` calls it. Never raises, and sends nothing itself."""
        try:
            self._shadow.add(executed, self._held.server_time())
        except Exception:  # whatever it was given: the live request is what matters
            self._shadow.ignored += 1

    def track(
        self,
        flag: str,
        tenant: str,
        *,
        conversion: bool = False,
        values: Values | None = None,
        counts: Counts | None = None,
    ) -> None:
        """Count what came of ``flag`` for the tenant, apart from any operation. Otherwise like ``record``."""
        try:
            self._usage.record(
                self.evaluate(flag, tenant),
                tenant,
                self._held.server_time(),
                conversion=conversion,
                values=values,
                counts=counts,
                operations=0,
            )
        except Exception:  # whatever it was given
            self._usage.ignored += 1

    def _evaluate(self, flag: object, tenant: object) -> Evaluation:
        """The long way: for a first question, for wrong arguments, and where time matters."""
        name = flag if isinstance(flag, str) else ""
        ruleset = self._held.served
        if self._killed_here(name):
            # Before all else, as every kill: without rules, and however old they are.
            return Evaluation(name, _KILL, Reason.KILLED, -1 if ruleset is None else ruleset.revision)
        if ruleset is None:
            return Evaluation(name, _OFF, Reason.STALE, -1)
        if not isinstance(flag, str) or not isinstance(tenant, str):
            return Evaluation(name, _OFF, Reason.FLAG_NOT_FOUND, ruleset.revision)
        if self._held.too_old():
            return Evaluation(name, _OFF, Reason.STALE, ruleset.revision)
        try:
            return ruleset.evaluate(flag, tenant, self._held.server_time())
        except Exception:  # a subclass of str may do anything
            return Evaluation(name, _OFF, Reason.FLAG_NOT_FOUND, ruleset.revision)

    def _killed_here(self, name: str) -> bool:
        try:
            return name in self._held.killed_here
        except Exception:  # a subclass of str may do anything
            return False

    def wait_ready(self, timeout: float) -> bool:
        """Wait until the server has confirmed the rules, at most ``timeout`` seconds. Returns whether the client is ready."""
        return self._held.wait_for_confirmation(lambda: self.status.health is Health.READY, timeout)

    @property
    def instance(self) -> str:
        """The name of this process's client, as it appears in receipts. A forked child has another one."""
        return self._settings.instance

    @property
    def status(self) -> ClientStatus:
        """How the client is doing now."""
        engine, ruleset = self._engine, self._held.ruleset
        return ClientStatus(
            health=Health.ERROR if engine is None else engine.core.health(),
            connected=engine is not None and engine.core.connected,
            key_refused=engine is not None and engine.core.key_refused,
            instance=self._settings.instance,
            epoch="" if ruleset is None else ruleset.epoch,
            revision=-1 if ruleset is None else ruleset.revision,
            contact_age=self._held.contact_age(),
            confirmed_age=self._held.confirmed_age(),
            transport="stream" if engine is None else engine.core.transport,
            problem="not started" if engine is None else engine.core.problem,
            cache_problem=None if engine is None or engine.cache is None else engine.cache.problem,
            counters=replace(self._counters),
            killed_here=tuple(sorted(self._held.killed_here)),
            kill_list_problem=None if engine is None or engine.kill_list is None else engine.kill_list.problem,
        )

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener(update)`` after each swap of rules, in a thread of its own. Returns what takes it away again."""
        return self._listeners.add(listener)

    def request_close(self) -> None:
        """Begin to close, and return at once. Flags can still be asked for; the rules no longer change."""
        self._closed = True
        if self._engine is not None:
            self._engine.request_stop()

    def close(self, timeout: float = CLOSE_SECONDS) -> None:
        """Tell the server that this instance leaves, and stop, within about ``timeout`` seconds."""
        self.request_close()
        if self._engine is not None:
            self._engine.join(timeout)
        self._listeners.close()

    def __enter__(self) -> FlagClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def before_fork(self) -> None:
        """For ``forking``: hold the thread still."""
        if self._engine is not None:
            self._engine.pause()

    def after_fork_in_parent(self) -> None:
        """For ``forking``: go on."""
        if self._engine is not None:
            self._engine.resume()

    def after_fork_in_child(self) -> None:
        """For ``forking``: a new name and a new thread, from the rules that were inherited."""
        self._settings = self._settings._replace(instance=forked_instance(self._family))
        self._held.after_fork()
        self._listeners.after_fork()
        self._usage.after_fork()
        self._shadow.after_fork()
        if self._engine is not None:
            self._finalizer.detach()
            # Never freed: the parent's loop and sockets are shared with it, and closing them here would disturb it.
            _inherited.append(self._engine)
            self._engine = None
            self.start()
