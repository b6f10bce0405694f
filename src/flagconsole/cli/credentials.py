"""API keys in the operating system's keyring, where there is one.

A keyring may be missing, locked, or waiting for somebody to type into a window that doesn't exist. So it is only ever asked
in a thread that may be left behind, for a short while.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, TypeVar

SERVICE: Final = "flagconsole"
#: Seconds after which a keyring counts as unusable.
PATIENCE: Final = 3.0

T = TypeVar("T")


def keep_in_keyring(url: str | None, key: str) -> str | None:
    """Keep the key in the keyring and read it back. Returns the keyring's name, or None where there is none to be used."""

    def work() -> str | None:
        import keyring

        backend = keyring.get_keyring()
        if backend.priority < 1:  # "fail" and "null", which keep nothing
            return None
        keyring.set_password(SERVICE, _entry(url), key)
        return backend.name if keyring.get_password(SERVICE, _entry(url)) == key else None

    return _patiently(work)


def read_from_keyring(url: str | None) -> str | None:
    """The key for this server, or None where the keyring hasn't got it or doesn't answer."""

    def work() -> str | None:
        import keyring

        return keyring.get_password(SERVICE, _entry(url))

    return _patiently(work)


def forget_in_keyring(url: str | None) -> None:
    """Remove the key for this server from the keyring."""

    def work() -> None:
        import keyring

        keyring.delete_password(SERVICE, _entry(url))

    _patiently(work)


def _entry(url: str | None) -> str:
    return url or "any server"


def _patiently(work: Callable[[], T | None]) -> T | None:
    result: list[T | None] = []

    def attempt() -> None:
        try:
            result.append(work())
        except Exception:  # backends raise what their libraries raise; each of them means "no keyring"
            result.append(None)

    thread = threading.Thread(target=attempt, name="flagconsole-keyring", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return result[0] if result else None
