"""How an evaluation is said in OFREP, OpenFeature's remote evaluation protocol, version 0.3.0.

Our flags are boolean, so ``value`` says whether the feature runs for real; which state that comes from is the ``variant``. A
``value`` is always there: without one a client would take the default in its own code, and a kill must not depend on that.
No pydantic here, since services import this module for OpenFeature.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from flagconsole.domain.evaluation import Evaluation, Reason, Rule
from flagconsole.domain.states import FlagState


class ErrorCode(StrEnum):
    """Why a flag can't be evaluated, as OFREP names it."""

    PARSE_ERROR = "PARSE_ERROR"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    INVALID_CONTEXT = "INVALID_CONTEXT"
    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    GENERAL = "GENERAL"


#: The reasons of OpenFeature for ours; that of a state depends on the state. Nothing else is in OFREP's list.
_REASONS: Final = {
    Reason.KILLED: "DISABLED",
    Reason.DEPENDENCY: "DISABLED",
    Reason.COHORT: "SPLIT",
    Reason.OUTSIDE_COHORT: "SPLIT",
    Reason.OVERRIDE: "TARGETING_MATCH",
}


def reason_of(evaluation: Evaluation) -> str:
    """OpenFeature's reason for the answer."""
    if evaluation.reason is Reason.STATE:
        return "DISABLED" if evaluation.state is FlagState.OFF else "STATIC"
    return _REASONS.get(evaluation.reason, "UNKNOWN")


def metadata_of(evaluation: Evaluation, rule: Rule | None) -> dict[str, str]:
    """What else is known of the answer. It stays the same until this flag changes, so that clients see which flags did."""
    metadata = {"state": evaluation.state.value, "reason": evaluation.reason.value}
    if evaluation.dependency is not None:
        metadata["dependency"] = evaluation.dependency
    if rule is not None:
        metadata["version"] = str(rule.version)
    return metadata


def success(evaluation: Evaluation, rule: Rule | None) -> dict[str, Any]:
    """The answer for one flag."""
    return {
        "key": evaluation.flag_name,
        "value": evaluation.enabled,
        "reason": reason_of(evaluation),
        "variant": evaluation.state.value,
        "metadata": metadata_of(evaluation, rule),
    }


def failure(key: str | None, code: ErrorCode, details: str) -> dict[str, Any]:
    """The answer where there is none; without a key it is about the whole request."""
    about = {} if key is None else {"key": key}
    return {**about, "errorCode": code.value, "errorDetails": details}
