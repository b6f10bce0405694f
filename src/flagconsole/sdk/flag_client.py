"""``FlagClient``: what a service asks which state a flag has for a tenant."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from flagconsole.sdk import forking
from flagconsole.sdk.held import Held
from flagconsole.sdk.listeners import Listener, Listeners
from flagconsole.sdk.measuring import Measuring
from flagconsole.sdk.settings import checked_settings, forked_instance
from flagconsole.sdk.status import ClientStatus, Counters, Health

if TYPE_CHECKING:
    from flagconsole.sdk.engine import Engine

POLL_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0
#: The engines of parent processes.
_inherited: list[Engine] = []


class FlagClient(Measuring):
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
        self._settings = checked_settings(
            url,
            api_key,
            instance,
            service=service,
            cache_dir=cache_dir,
            poll_seconds=poll_seconds,
            stream=stream,
            max_age=max_age,
            bucket_seconds=bucket_seconds,
            kill_list=kill_list,
            kill_list_key=kill_list_key,
        )
        from flagconsole.sdk.shadow_log import ShadowLog
        from flagconsole.sdk.usage import Usage

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
