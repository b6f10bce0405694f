"""The guard for any function: a decorator that keeps it from being called in shadow."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from flagconsole.domain.execution_type import EffectKind
from flagconsole.sdk.shadow.guards.guard import Guard

F = TypeVar("F", bound=Callable[..., Any])


class FunctionGuard(Guard):
    """``@FunctionGuard()`` or ``@FunctionGuard(answer=...)`` over a function or a coroutine function.

    In shadow the function is not called. Its answer is ``answer``, or what ``answer`` returns where it is a function, which gets the
    call's arguments. ``name`` is what reports say (default: the function's own). With ``always`` it holds outside of shadow too.
    """

    kind = EffectKind.FUNCTION

    def __init__(self, *, answer: Any = None, name: str | None = None, always: bool = False) -> None:
        super().__init__(always=always)
        self._answer = answer
        self._name = name

    def __call__(self, function: F) -> F:
        """Guard ``function``. Raises ``TypeError`` for a generator, of which nobody can say when it acts."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"a generator can't be guarded: {function.__qualname__}")
        name = self._name or str(getattr(function, "__qualname__", type(function).__name__))
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def guarded_async(*args: Any, **kwargs: Any) -> Any:
                if not self.holds:
                    return await function(*args, **kwargs)
                return self._instead(name, args, kwargs)

            return guarded_async  # type: ignore[return-value]

        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            return self._instead(name, args, kwargs) if self.holds else function(*args, **kwargs)

        return guarded  # type: ignore[return-value]

    def _instead(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.keep_back(name)
        return self._answer(*args, **kwargs) if callable(self._answer) else self._answer
