"""A hook of OpenFeature that reports each evaluation as OpenTelemetry's event ``feature_flag.evaluation``. Needs the extra
``openfeature``.

The attributes have the names of OpenTelemetry's conventions of today, which differ from those that OpenFeature's SDK still has.
"""

from __future__ import annotations

import time
from typing import Final

from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagEvaluationDetails, FlagValueType, Reason
from openfeature.hook import Hook, HookContext, HookHints
from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber, get_logger
from opentelemetry.context import get_current

from flagconsole import __version__

EVENT_NAME: Final = "feature_flag.evaluation"


class EvaluationEventHook(Hook):
    """Emits one event for each evaluation, to ``logger_provider`` or else to OpenTelemetry's global one. It belongs to
    whatever span is current."""

    def __init__(self, logger_provider: LoggerProvider | None = None) -> None:
        self._logger = get_logger("flagconsole.sdk", __version__, logger_provider)

    def finally_after(
        self, hook_context: HookContext, details: FlagEvaluationDetails[FlagValueType], hints: HookHints
    ) -> None:
        """Report how the evaluation came out, whether or not it did."""
        now = time.time_ns()
        self._logger.emit(
            LogRecord(
                timestamp=now,
                observed_timestamp=now,
                context=get_current(),
                severity_number=SeverityNumber.INFO,
                event_name=EVENT_NAME,
                attributes=attributes_of(hook_context, details),
            )
        )


def attributes_of(hook_context: HookContext, details: FlagEvaluationDetails[FlagValueType]) -> dict[str, str | bool]:
    """The event's attributes. The value is said only where no variant says it."""
    metadata = details.flag_metadata
    reason = (details.reason or Reason.UNKNOWN).lower()
    found: dict[str, str | bool | None] = {
        "feature_flag.key": details.flag_key,
        "feature_flag.result.reason": reason,
        "feature_flag.result.variant": details.variant,
        "feature_flag.context.id": _text(metadata.get("contextId")) or hook_context.evaluation_context.targeting_key,
        "feature_flag.set.id": _text(metadata.get("flagSetId")),
        "feature_flag.version": _text(metadata.get("version")),
    }
    if hook_context.provider_metadata is not None:
        found["feature_flag.provider.name"] = hook_context.provider_metadata.name
    if details.variant is None and isinstance(details.value, bool | str):
        found["feature_flag.result.value"] = details.value
    if details.error_code is not None or reason == Reason.ERROR.lower():
        found["error.type"] = (details.error_code or ErrorCode.GENERAL).lower()
        found["feature_flag.error.message"] = details.error_message
    return {name: value for name, value in found.items() if value is not None and value != ""}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
