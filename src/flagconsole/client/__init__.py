"""The one typed way to a server: calls (``http``) and the reconnecting stream (``stream``).

Names are handed on lazily, since whoever only follows the stream shouldn't pay for loading the calls' models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flagconsole.client.http import Client as Client
    from flagconsole.client.stream import Stream as Stream

__all__ = ["Client", "Stream"]


def __getattr__(name: str) -> Any:
    if name == "Client":
        from flagconsole.client.http import Client

        return Client
    if name == "Stream":
        from flagconsole.client.stream import Stream

        return Stream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
