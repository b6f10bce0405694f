"""One execution from inside: its validations, its handler, and what was raised. Everything here runs in its context."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, Final

from flagconsole.domain.execution_type import ExecutionType
from flagconsole.sdk.shadow.context import ShadowContext, current
from flagconsole.sdk.shadow.errors import GuardBroken, GuardRefused, OutOfTime, ValidationFailed
from flagconsole.sdk.shadow.result import ExecutionError
from flagconsole.sdk.shadow.validation import Check, Validation, Validators, awaited, failed, judged, named

log = logging.getLogger("flagconsole.shadow")

#: Types whose handler runs.
WHOLE_PATH: Final = frozenset({ExecutionType.DRY_RUN, ExecutionType.UI_INTENTS})


class Execution:
    """Runs what its type asks for, and gathers what came of it. Nothing that is raised gets out, except KeyboardInterrupt, and
    cancellation in ``run_async``."""

    def __init__(
        self, context: ShadowContext, operation: str, validators: Validators, handler: Callable[[], Any]
    ) -> None:
        self.context = context
        self.operation = operation
        self._validators = validators
        self._handler = handler
        self._cancellable = False
        self.result: Any = None
        self.errors: list[ExecutionError] = []
        self.validations: list[Validation] = []
        #: Whether the handler came to its end.
        self.returned = False

    def run(self) -> None:
        """Run in this thread."""
        current.set(self.context)
        if self.context.execution_type is ExecutionType.LOG_ONLY:
            self._say()
            return
        for name, check in self._checks():
            try:
                self.validations.append(judged(name, _complete(check())))
            except BaseException as error:
                self._check_raised(name, error)
        if not self._goes_on():
            return
        try:
            self.result = _complete(self._handler())
            self.returned = True
        except BaseException as error:
            self._raised(error, "handler")

    async def run_async(self) -> None:
        """Run in this task, which is the execution's own, and which may be cancelled."""
        self._cancellable = True
        current.set(self.context)
        if self.context.execution_type is ExecutionType.LOG_ONLY:
            self._say()
            return
        for name, check in self._checks():
            try:
                self.validations.append(judged(name, await awaited(check())))
            except BaseException as error:
                self._check_raised(name, error)
        if not self._goes_on():
            return
        try:
            self.result = _complete(await awaited(self._handler()))
            self.returned = True
        except BaseException as error:
            self._raised(error, "handler")

    def ended(self, error: BaseException, source: str) -> None:
        """It was ended from outside."""
        self.errors = [*self.errors, ExecutionError(type(error).__name__, source, error)]

    @property
    def compares(self) -> bool:
        """Whether there is something to compare: validations and log lines alone come to no result."""
        return self.context.execution_type in WHOLE_PATH

    @property
    def failure(self) -> str:
        """What a comparison shows in place of a result."""
        if self.errors:
            return self.errors[0].error
        return ValidationFailed.__name__

    def _checks(self) -> list[tuple[str, Check]]:
        try:
            return named(self._validators)
        except Exception as error:
            self._raised(error, "validation")
            return []

    def _goes_on(self) -> bool:
        """Whether the handler runs: as in the real path, not after a validation that failed."""
        if self.context.execution_type not in WHOLE_PATH or self.errors:
            return False
        return all(item.passed for item in self.validations)

    def _check_raised(self, name: str, error: BaseException) -> None:
        if isinstance(error, ValueError | AssertionError):
            self.validations.append(failed(name, error))
        else:
            self._raised(error, "validation")

    def _raised(self, error: BaseException, where: str) -> None:
        # SystemExit is caught too: shadow work must not end the process.
        if isinstance(error, KeyboardInterrupt) or (self._cancellable and type(error).__name__ == "CancelledError"):
            raise error
        source = "budget" if isinstance(error, OutOfTime) else "guard" if _is_guards(error) else where
        self.errors.append(ExecutionError(type(error).__name__, source, error))
        log.debug("shadow %s of %s raised", self.operation, self.context.flag, exc_info=error)

    def _say(self) -> None:
        name = getattr(self._handler, "__qualname__", type(self._handler).__name__)
        log.info(
            "shadow %s: would run %s for tenant %r as %s",
            self.context.flag, name, self.context.tenant, self.operation
        )  # fmt: skip


def _is_guards(error: BaseException) -> bool:
    return isinstance(error, GuardRefused | GuardBroken)


def _complete(answer: Any) -> Any:
    """``answer``, unless what it stands for would only run later, outside of the execution. Raises ``TypeError`` then."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise TypeError("execute() can't await; use aexecute() for asynchronous handlers and validators")
    if inspect.isgenerator(answer) or inspect.isasyncgen(answer):
        raise TypeError("a generator would run outside of the shadow execution; let the handler return a list")
    return answer
