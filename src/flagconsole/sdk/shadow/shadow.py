"""``Shadow``: runs a feature's new way where it can do no harm, and tells the store what came of it."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

from flagconsole.domain.execution_type import ExecutionType, Finding
from flagconsole.domain.states import FlagState
from flagconsole.sdk.shadow.budget import Budget, Skipped
from flagconsole.sdk.shadow.comparison import Comparison, Difference, Failure
from flagconsole.sdk.shadow.context import ShadowContext
from flagconsole.sdk.shadow.errors import OutOfTime
from flagconsole.sdk.shadow.execution import Execution
from flagconsole.sdk.shadow.result import ShadowResult
from flagconsole.sdk.shadow.threads import follow_threads
from flagconsole.sdk.shadow.validation import Validators
from flagconsole.sdk.shadow_log import Executed, Found

if TYPE_CHECKING:
    from flagconsole.sdk.flag_client import FlagClient

New = TypeVar("New")
Old = TypeVar("Old")
#: Executions that were given up and have not ended yet; with more, no others are begun.
MAX_ABANDONED: Final = 10


class Shadow:
    """Executes one flag's operations in shadow.

    With a ``client`` an execution runs only where the flag is in shadow for the tenant, and is reported for the flag's shadow
    report; without one it always runs, and nobody hears of it. ``budget`` caps what shadow work may take, ``comparison`` says how
    old and new are compared. Nothing that shadow work raises gets out of ``execute``.
    """

    def __init__(
        self,
        flag: str,
        execution_type: ExecutionType | str = ExecutionType.DRY_RUN,
        *,
        client: FlagClient | None = None,
        budget: Budget | None = None,
        comparison: Comparison | None = None,
    ) -> None:
        self.flag = flag
        self.execution_type = ExecutionType(execution_type)
        self._client = client
        self._budget = budget or Budget()
        self._comparison = comparison or Comparison()
        self._abandoned: set[asyncio.Task[None]] = set()
        follow_threads()

    def execute(
        self,
        operation: str,
        handler: Callable[[], New],
        shadow_handler: Callable[[], New] | None = None,
        validators: Validators = (),
        *,
        tenant: str,
        compare: Callable[[], Old] | None = None,
    ) -> ShadowResult[New, Old]:
        """Execute ``operation`` (its name) for ``tenant``: ``shadow_handler``, or else ``handler``, in the way of the execution type.

        ``compare`` is the old way. It runs for real, always, after the new one, which so finds the world as the old one will;
        what it raises is the caller's, and what it returns is the result's ``live``.
        """
        execution, skipped = self._begin(operation, tenant, validators, shadow_handler or handler)
        seconds = 0.0
        if skipped is None:
            began = time.perf_counter()
            contextvars.copy_context().run(execution.run)
            seconds = self._spent(began)
        if compare is None:
            return self._end(execution, skipped, seconds)
        began = time.perf_counter()
        try:
            live = compare()
        except Exception as error:
            self._end(execution, skipped, seconds, Failure(type(error).__name__), time.perf_counter() - began)
            raise
        return self._end(execution, skipped, seconds, live, time.perf_counter() - began)

    async def aexecute(
        self,
        operation: str,
        handler: Callable[[], New | Awaitable[New]],
        shadow_handler: Callable[[], New | Awaitable[New]] | None = None,
        validators: Validators = (),
        *,
        tenant: str,
        compare: Callable[[], Awaitable[Old]] | None = None,
    ) -> ShadowResult[New, Old]:
        """``execute`` for asynchronous code, in a task of its own, which is cancelled when the budget's seconds are over."""
        execution, skipped = self._begin(operation, tenant, validators, shadow_handler or handler)
        seconds = 0.0
        if skipped is None:
            began = time.perf_counter()
            await self._run_limited(execution)
            seconds = self._spent(began)
        if compare is None:
            return self._end(execution, skipped, seconds)
        began = time.perf_counter()
        try:
            live = await compare()
        except Exception as error:
            self._end(execution, skipped, seconds, Failure(type(error).__name__), time.perf_counter() - began)
            raise
        return self._end(execution, skipped, seconds, live, time.perf_counter() - began)

    def _begin(
        self, operation: str, tenant: str, validators: Validators, handler: Callable[[], Any]
    ) -> tuple[Execution, Skipped | None]:
        deadline = time.monotonic() + self._budget.seconds
        context = ShadowContext(uuid4().hex, self.flag, tenant, self.execution_type, deadline)
        execution = Execution(context, operation, validators, handler)
        if self._client is not None and self._client.state(self.flag, tenant) is not FlagState.SHADOW:
            return execution, Skipped.STATE
        if len(self._abandoned) >= MAX_ABANDONED:
            return execution, Skipped.HUNG
        return execution, self._budget.admit()

    def _spent(self, began: float) -> float:
        seconds = time.perf_counter() - began
        self._budget.spend(seconds)
        return seconds

    async def _run_limited(self, execution: Execution) -> None:
        task = asyncio.create_task(execution.run_async(), name=f"flagconsole-shadow-{self.flag}")
        try:
            done, _ = await asyncio.wait({task}, timeout=self._budget.seconds)
        except asyncio.CancelledError:
            self._abandon(task)
            raise
        if not done:
            # Not waited for: what ignores its cancellation must not hold up the live request. It stays in shadow.
            self._abandon(task)
            execution.ended(OutOfTime("this shadow execution did not come back in time"), "budget")
        elif task.cancelled():
            execution.ended(asyncio.CancelledError(), "handler")
        else:
            task.result()

    def _abandon(self, task: asyncio.Task[None]) -> None:
        self._abandoned.add(task)
        task.add_done_callback(self._came_back)
        task.cancel()

    def _came_back(self, task: asyncio.Task[None]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()

    def _end(
        self,
        execution: Execution,
        skipped: Skipped | None,
        seconds: float,
        live: Any = None,
        live_seconds: float | None = None,
    ) -> ShadowResult[Any, Any]:
        context = execution.context
        differences = None
        if live_seconds is not None and skipped is None and execution.compares:
            new = execution.result if execution.returned else Failure(execution.failure)
            differences = self._comparison.differences(live, new)
        result: ShadowResult[Any, Any] = ShadowResult(
            execution_id=context.execution_id,
            execution_type=context.execution_type,
            operation=execution.operation,
            time_ms=seconds * 1000,
            result=execution.result,
            errors=tuple(execution.errors),
            validations=tuple(execution.validations),
            ui_intents=context.intents,
            intent_count=context.intent_count,
            effects=context.effects,
            effect_counts=context.effect_counts,
            live=None if isinstance(live, Failure) else live,
            differences=differences,
            skipped=skipped,
        )
        if self._client is not None and skipped is not Skipped.STATE:
            self._client.record_shadow(executed(result, self.flag, context.tenant, seconds, live_seconds))
        return result


def executed(
    result: ShadowResult[Any, Any], flag: str, tenant: str, seconds: float, live_seconds: float | None
) -> Executed:
    """What is reported of a result: numbers, names, and samples that were redacted."""
    if result.skipped is not None:
        return Executed(flag, tenant, result.execution_type, skipped=True)
    compared = result.differences is not None
    invalid = [problems for intent in result.ui_intents if (problems := intent.problems())]
    return Executed(
        flag,
        tenant,
        result.execution_type,
        seconds,
        success=result.success,
        error=bool(result.errors),
        live_seconds=live_seconds if compared else None,
        consistent=compared and not result.differences,
        intents=result.intent_count,
        invalid_intents=len(invalid),
        effects=result.effect_counts,
        found=_found(result),
    )


def _found(result: ShadowResult[Any, Any]) -> list[Found]:
    found = [Found(Finding.ERROR, item.error, item.source) for item in result.errors]
    found += [Found(Finding.PASSED if item.passed else Finding.FAILED, item.name) for item in result.validations]
    for intent in result.ui_intents:
        found += [Found(Finding.INTENT, intent.type.value, problem) for problem in intent.problems()]
    found += [_mismatch(item) for item in result.differences or ()]
    return found


def _mismatch(item: Difference) -> Found:
    return Found(Finding.MISMATCH, item.field, item.kind.value, item.old, item.new)
