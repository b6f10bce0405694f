"""One operation that a flag guards: evaluated once, timed, and counted when it is over."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flagconsole.domain.evaluation import Evaluation
from flagconsole.domain.states import FlagState
from flagconsole.sdk.mode import Mode, mode_of

if TYPE_CHECKING:
    from flagconsole.sdk.measuring import Measuring

Function = TypeVar("Function", bound=Callable[..., Any])
#: A tenant, or what finds it among a decorated function's arguments.
TenantOf = str | Callable[..., str]
Criticals = type[BaseException] | tuple[type[BaseException], ...]

_NEVER: Final[tuple[type[BaseException], ...]] = ()
_clock = time.perf_counter
_current: ContextVar[Operation | None] = ContextVar("flagconsole_operation", default=None)


def current_operation() -> Operation:
    """The operation that the decorated function which is running belongs to. Raises ``LookupError`` outside of one."""
    operation = _current.get()
    if operation is None:
        raise LookupError("no function that is decorated with operation() is running")
    return operation


class Operation:
    """What ``FlagClient.operation`` gives: a context manager, sync and async, for one operation; or a decorator for many.

    The flag is evaluated when the block begins, and the whole block goes by that answer, as does what is counted: a success,
    or an error where an exception leaves the block or ``fail`` was called; how long it took; a critical error where the
    exception is one of ``critical`` or ``fail(critical=…)`` was called. Nothing is counted of a block that is cancelled.
    """

    __slots__ = (
        "_began",
        "_client",
        "_counts",
        "_critical",
        "_criticals",
        "_discarded",
        "_flag",
        "_ok",
        "_tenant",
        "_values",
        "conversion",
        "evaluation",
        "mode",
        "seconds",
    )

    def __init__(self, client: Measuring, flag: str, tenant: TenantOf, criticals: Criticals = _NEVER) -> None:
        self._client = client
        self._flag = flag
        self._tenant = tenant
        self._criticals = criticals
        self._ok = True
        self._discarded = False
        self._critical: object = None
        self._values: dict[str, bool | float] | None = None
        self._counts: dict[str, int] | None = None
        #: Set it where somebody did what the feature is for.
        self.conversion = False
        #: Set it where something else than the block says how long the operation took, such as a queue.
        self.seconds: float | None = None
        #: The answer that this operation goes by, from the block's beginning.
        self.evaluation: Evaluation
        #: ``enabled``, ``shadow`` or ``disabled``; before the block begins, ``disabled``.
        self.mode = Mode.DISABLED

    @property
    def state(self) -> FlagState:
        """The flag's effective state for the tenant in this operation."""
        return self.evaluation.state

    @property
    def enabled(self) -> bool:
        """Whether the feature runs for real."""
        return self.mode is Mode.ENABLED

    @property
    def shadow(self) -> bool:
        """Whether the feature runs read-only."""
        return self.mode is Mode.SHADOW

    def fail(self, *, critical: object = None) -> None:
        """Count the operation as an error though no exception leaves the block. ``critical`` is a critical error's fingerprint:
        a text, or the exception."""
        self._ok = False
        if critical is not None:
            self._critical = critical

    def discard(self) -> None:
        """Count nothing: it was no operation after all."""
        self._discarded = True

    def measure(self, **values: bool | float) -> None:
        """Metrics of one's own: ``True`` and ``False`` make a share, numbers a mean."""
        self._values = {**(self._values or {}), **values}

    def count(self, **counts: int) -> None:
        """Counts of one's own, which add up."""
        self._counts = {**(self._counts or {}), **counts}

    def __enter__(self) -> Operation:
        self.evaluation = evaluation = self._client.evaluate(self._flag, self._tenant)  # type: ignore[arg-type]  # whatever it is given, it answers
        self.mode = mode_of(evaluation.state)
        self._began = _clock()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = _clock() - self._began
        if self._discarded:
            return
        if error is not None:
            if not isinstance(error, Exception):
                return
            self._ok = False
            if isinstance(error, self._criticals):
                self._critical = error
        self._client.record(
            self._flag,
            self._tenant,  # type: ignore[arg-type]
            ok=self._ok,
            seconds=seconds if self.seconds is None else self.seconds,
            critical=self._critical,
            conversion=self.conversion,
            values=self._values,
            counts=self._counts,
            evaluation=self.evaluation,
        )

    async def __aenter__(self) -> Operation:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Function) -> Function:
        """Decorate a function, so that each call of it is an operation of its own."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def measured_async(*args: Any, **kwargs: Any) -> Any:
                with self._for_call(args, kwargs) as operation, _Current(operation):
                    return await function(*args, **kwargs)

            return measured_async  # type: ignore[return-value]
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"operation() can't measure the generator {function.__qualname__}; use it as a block inside"
            )

        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            with self._for_call(args, kwargs) as operation, _Current(operation):
                return function(*args, **kwargs)

        return measured  # type: ignore[return-value]

    def _for_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation:
        tenant = self._tenant(*args, **kwargs) if callable(self._tenant) else self._tenant
        return Operation(self._client, self._flag, tenant, self._criticals)


class _Current:
    """Makes an operation the current one while its function runs."""

    __slots__ = ("_operation", "_token")

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def __enter__(self) -> None:
        self._token: Token[Operation | None] = _current.set(self._operation)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
