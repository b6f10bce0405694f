"""Why a server isn't reached, in the operating system's words where it has any."""

from __future__ import annotations

import os
from typing import Final

#: What OpenSSL says of an answer that isn't TLS at all.
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def what_failed(error: BaseException) -> str:
    """What the operating system said, if it is at the bottom of it; else the error's own words."""
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
            continue
        if isinstance(cause, ssl.SSLError):
            # Its number isn't one of the operating system's: 1 is "operation not permitted" there.
            if cause.reason in _NO_TLS:
                return "it answers, but not in TLS (is it http:// instead of https://?)"
            return f"no TLS with it: {(cause.reason or str(cause)).lower().replace('_', ' ')}"
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    return str(error)
