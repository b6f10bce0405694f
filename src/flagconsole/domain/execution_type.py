"""The words of shadow mode that services use too. No pydantic here, since services import this module."""

from __future__ import annotations

from enum import StrEnum


class ExecutionType(StrEnum):
    """What a shadow execution does. ``validate``: run the validation logic only. ``dry_run``: go the whole path with every
    effect replaced. ``ui_intents``: record what the user interface would do. ``log_only``: run nothing, and say what would
    happen."""

    VALIDATE = "validate"
    DRY_RUN = "dry_run"
    UI_INTENTS = "ui_intents"
    LOG_ONLY = "log_only"


class EffectKind(StrEnum):
    """What a guard keeps from happening."""

    DATABASE = "database"
    HTTP = "http"
    NOTIFICATION = "notification"
    FUNCTION = "function"


class Finding(StrEnum):
    """What shadow executions show besides numbers. ``error``: an exception (its name is the exception's class, its detail where
    it came from). ``mismatch``: old and new differ (the field, and how). ``passed`` and ``failed``: a validation (its name).
    ``intent``: an invalid UI intent (its type, and what is wrong)."""

    ERROR = "error"
    MISMATCH = "mismatch"
    PASSED = "passed"
    FAILED = "failed"
    INTENT = "intent"
