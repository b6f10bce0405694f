"""The guard for notifications: e-mails, text messages, pushes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flagconsole.domain.execution_type import EffectKind
from flagconsole.sdk.shadow.guards.function import FunctionGuard

F = TypeVar("F", bound=Callable[..., Any])
Recipients = Callable[..., int]


def one(*_: Any, **__: Any) -> int:
    """One recipient, whatever the arguments are."""
    return 1


class NotificationGuard(FunctionGuard):
    """``@NotificationGuard("email")`` over the function that sends, or ``send = NotificationGuard("email")(client.send)``.

    In shadow nothing is sent; each recipient counts. ``recipients`` says from the call's arguments how many there are (default:
    one), ``answer`` is what the caller gets instead. Addresses and texts are not recorded. With ``always`` it holds outside of
    shadow too.
    """

    kind = EffectKind.NOTIFICATION

    def __init__(self, channel: str, *, recipients: Recipients = one, answer: Any = None, always: bool = False) -> None:
        super().__init__(answer=answer, name=channel, always=always)
        self._recipients = recipients

    def _instead(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.keep_back(name, max(1, int(self._recipients(*args, **kwargs))))
        return self._answer(*args, **kwargs) if callable(self._answer) else self._answer
