"""The hook's events, as OpenTelemetry names them today; and what an OpenTelemetry SDK would be handed."""

from __future__ import annotations

import pytest
from openfeature import _event_support, api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationOptions
from opentelemetry._logs import Logger, LoggerProvider, LogRecord

from flagconsole.sdk.openfeature_hook import EvaluationEventHook
from flagconsole.sdk.openfeature_provider import FlagconsoleProvider


class Kept(LoggerProvider, Logger):
    """Keeps what is emitted."""

    def __init__(self):
        super().__init__("kept")
        self.records: list[LogRecord] = []

    def get_logger(self, name, version=None, schema_url=None, attributes=None):
        self.scope = name
        return self

    def emit(self, record=None, **_):
        self.records.append(record)

    def enabled(self, **_):
        return True


@pytest.fixture
def evaluate(server, make_client):
    """Evaluates a flag with the hook, and gives the event's attributes."""
    server.put("a.canary", "canary", canary_percentage=50, version=3)
    api.clear_providers()
    api.set_provider_and_wait(FlagconsoleProvider(make_client(start=False), deadline=10, flag_set="production"))
    kept = Kept()
    hook = EvaluationEventHook(kept)

    def one(key, tenant, kind="boolean", default=True):
        options = FlagEvaluationOptions(hooks=[hook])
        context = EvaluationContext(targeting_key=tenant)
        getattr(api.get_client(), f"get_{kind}_value")(key, default, context, options)
        (record,) = kept.records
        assert record.event_name == "feature_flag.evaluation"
        assert record.timestamp
        assert kept.scope == "flagconsole.sdk"
        return dict(record.attributes)

    yield one
    api.clear_providers()
    _event_support.clear()


def test_an_evaluation_is_an_event_with_todays_names(server, evaluate):
    server.put("a.b", "on")
    assert evaluate("a.b", "t-1") == {
        "feature_flag.key": "a.b",
        "feature_flag.result.variant": "on",
        "feature_flag.result.reason": "static",
        "feature_flag.context.id": "t-1",
        "feature_flag.set.id": "production",
        "feature_flag.version": "1",
        "feature_flag.provider.name": "flagconsole",
    }


def test_an_error_says_its_type_and_the_value_that_was_used_instead(evaluate):
    assert evaluate("a.canary", None) == {
        "feature_flag.key": "a.canary",
        "feature_flag.result.value": True,
        "feature_flag.result.reason": "error",
        "feature_flag.provider.name": "flagconsole",
        "error.type": "targeting_key_missing",
        "feature_flag.error.message": "flag a.canary depends on the tenant: give its id as the targeting key",
    }


def test_a_type_that_no_flag_has_is_an_event_too(evaluate):
    found = evaluate("a.b", "t", "string", "none")
    assert (found["error.type"], found["feature_flag.result.value"]) == ("type_mismatch", "none")
