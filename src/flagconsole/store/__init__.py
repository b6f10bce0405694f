"""Durable truth: the ``Store`` protocol, and ``open_store`` for its backends."""

from flagconsole.store.opening import open_store
from flagconsole.store.protocol import ChangeDraft, Head, Reader, Remembered, Store, Transaction

__all__ = ["ChangeDraft", "Head", "Reader", "Remembered", "Store", "Transaction", "open_store"]
