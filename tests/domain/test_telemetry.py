"""Batches from programs that may be wrong: what doesn't add up is refused by name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from flagconsole.domain.duration import duration_text, parse_duration
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.metric import MetricKind
from flagconsole.domain.retention import Retention
from flagconsole.domain.sketch import HIGHEST_BIN
from flagconsole.domain.tally import Tally
from flagconsole.domain.telemetry import CustomKind, Feedback, TelemetryBatch

START = 1_763_870_400


def a_batch(**fields):
    bucket = {"start": START, "flag_name": "pos.lite", "tenant_id": "t1", "group": "canary", "operations": 3}
    top = {name: fields.pop(name) for name in ("bucket_seconds", "batch_id", "buckets") if name in fields}
    return {"batch_id": "b", "instance": "i", "service": "s", "buckets": [{**bucket, **fields}], **top}


def test_a_full_bucket_is_understood():
    batch = TelemetryBatch.model_validate(
        a_batch(
            successes=2,
            errors=1,
            criticals={"TaxTable": 1},
            conversions=1,
            latency=[[0, 2], [5, 1]],
            latency_seconds=3.2,
            custom={"gap": {"kind": "gauge", "total": -1.5, "count": 2}},
        )
    )
    [bucket] = batch.buckets
    assert bucket.timed == 3
    assert bucket.custom["gap"].kind.metric_kind is MetricKind.GAUGE


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"successes": 3, "errors": 1}, "successes and errors can't be more than operations"),
        ({"latency": [[0, 4]]}, "latency can't count more than operations"),
        ({"latency": [[HIGHEST_BIN + 1, 1]]}, "less than or equal"),
        ({"latency": [[0, 0]]}, "greater than or equal to 1"),
        ({"operations": -1}, "greater than or equal to 0"),
        ({"start": START + 7}, "multiples of 30 s"),
        ({"bucket_seconds": 7}, "Input should be 1, 2, 3"),
        ({"criticals": {"two\nlines": 1}}, "single line"),
        ({"criticals": {f"f{number}": 1 for number in range(21)}}, "at most 20"),
        ({"custom": {"Not-A-Name": {"kind": "gauge", "total": 1, "count": 1}}}, "lower-case letters"),
        ({"custom": {"share": {"kind": "ratio", "total": 2, "count": 1}}}, "between 0 and its count"),
        ({"custom": {"number": {"kind": "count", "total": -2, "count": 1}}}, "can't be negative"),
        ({"custom": {"gap": {"kind": "gauge", "total": float("nan"), "count": 1}}}, "finite"),
        ({"group": "everyone"}, "canary"),
        ({"tenant_id": ""}, "at least 1 character"),
        ({"batch_id": "with space"}, "match pattern"),
        ({"surprise": 1}, "Extra inputs"),
    ],
)
def test_what_does_not_add_up_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        TelemetryBatch.model_validate(a_batch(**fields))


def test_too_many_buckets_are_refused():
    bucket = a_batch()["buckets"][0]
    with pytest.raises(ValidationError, match="at most 1000"):
        TelemetryBatch.model_validate(a_batch(buckets=[bucket] * 1001))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "csat", "value": 5}, "csat is a share"),
        ({"kind": "ticket", "value": 0.5}, "whole number"),
        ({"kind": "ticket", "value": 0}, "whole number"),
        ({"kind": "custom", "metric": "gap"}, "needs both"),
        ({"kind": "custom"}, "needs both"),
        ({"kind": "csat", "metric": "gap"}, "belong to kind custom"),
        ({"kind": "custom", "metric": "share", "metric_kind": "ratio", "value": 1.5}, "between 0 and 1"),
        ({"kind": "ticket", "occurred_at": "2026-11-23T03:00:00"}, "timezone"),
        ({"kind": "ticket", "occurred_at": 1_795_000_000}, "must be a time such as"),
        ({"kind": "ticket", "occurred_at": "9999-12-31T23:59:59Z"}, "between the years"),
    ],
)
def test_feedback_that_makes_no_sense_is_refused(fields, said):
    with pytest.raises(ValidationError, match=said):
        Feedback.model_validate({"tenant_id": "t1", **fields})


def test_feedback_measures_what_it_is_about():
    assert Feedback(kind="csat", tenant_id="t").measures == ("csat", CustomKind.RATIO)
    own = Feedback(kind="custom", tenant_id="t", metric="gap", metric_kind="gauge", value=-3)
    assert own.measures == ("gap", CustomKind.GAUGE)


def test_rates_of_nothing_are_unknown():
    nothing = Tally()
    assert (nothing.success_rate, nothing.error_rate, nothing.conversion_rate, nothing.mean_latency) == (None,) * 4
    some = Tally(4, 3, 1, 0, 2, 2, 0.5).plus(Tally(4, 4, 0, 0, 0, 0, 0.0))
    assert (some.success_rate, some.error_rate, some.conversion_rate, some.mean_latency) == (7 / 8, 1 / 8, 1 / 4, 0.25)


def test_durations_are_read_as_people_write_them():
    assert [parse_duration(text, "w", least=1, most=10**9) for text in ("90s", "30m", "24h", "7d")] == [
        90,
        1800,
        86_400,
        604_800,
    ]
    assert [duration_text(seconds) for seconds in (90, 1800, 86_400, 604_800, 7200)] == ["90s", "30m", "1d", "7d", "2h"]


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "-1h", "1 h", "1w", "9999999s", "١h", "1h\n", "5s", "2h"])
def test_other_durations_are_refused_with_field_and_value(text):
    with pytest.raises(InvalidInput) as caught:
        parse_duration(text, "window", least=10, most=3600)
    assert caught.value.details["field"] == "window"
    assert caught.value.details["value"] == text


@pytest.mark.parametrize("days", [(0.01, 7, 90), (8, 7, 90), (1, 100, 90), (1, 7, 5000), (float("nan"), 7, 90)])
def test_retention_that_does_not_follow_is_refused(days):
    with pytest.raises(InvalidInput):
        Retention(*days)
