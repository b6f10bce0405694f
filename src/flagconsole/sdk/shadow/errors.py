"""What goes wrong in shadow work. None of it reaches the live request: ``Shadow`` catches and reports it."""

from __future__ import annotations


class ShadowError(Exception):
    """Root of what shadow mode itself raises."""


class GuardRefused(ShadowError):
    """A guard can't hold here, so it lets nothing begin: the connection is in autocommit, say, or a statement would commit."""


class NotInShadow(GuardRefused, AttributeError):
    """An attribute that can't be used in shadow. For ``hasattr``, and so for everything that looks before it takes, it isn't there."""


class GuardBroken(ShadowError):
    """What a guard held was taken from it: its transaction ended before it did, so a write may have got through."""


class OutOfTime(ShadowError):
    """The budget's time for one execution is over."""


class ValidationFailed(ShadowError):
    """A validation failed, so the handler was not run."""
