"""Durable truth: the ``Store`` protocol, and ``open_store`` for its backends. Loaded when it is asked for: who only reads a list of
flags from a file (``listed_flags``) does without."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagconsole.store.opening import open_store
    from flagconsole.store.protocol import ChangeDraft, Head, Reader, Remembered, Store, Transaction

__all__ = ["ChangeDraft", "Head", "Reader", "Remembered", "Store", "Transaction", "open_store"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(name)
    found: object = getattr(import_module(f"{__name__}.{'opening' if name == 'open_store' else 'protocol'}"), name)
    return found
