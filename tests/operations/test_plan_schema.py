"""The published schema takes every plan that ships, and refuses what a schema can see to be wrong."""

from __future__ import annotations

from importlib.resources import files

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from flagconsole.operations.plan_file import SHIPPED
from flagconsole.operations.plan_schema import plan_schema

from ..rollout.test_prometheus_values import PLAN as MEASURED
from .test_plan_file import MISTAKES, SMALL

VALIDATOR = jsonschema_rs.Draft202012Validator(plan_schema())
#: Mistakes that take more than one place of a file, or the YAML itself, to see.
UNSEEN = {
    "can both be true",
    "no phase 'canary 20'",
    "duplicate key",
    "between 0 and 1",
    "say its kind",
    "did you mean error_rate?",
}


def read(text):
    return YAML(typ="safe", pure=True).load(text)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_plan_follows_it(name):
    text = files("flagconsole").joinpath("data", "plans", f"{name}.yaml").read_text(encoding="utf-8")
    VALIDATOR.validate(read(text))


@pytest.mark.parametrize("text", [SMALL, MEASURED])
def test_plans_of_ones_own_follow_it(text):
    VALIDATOR.validate(read(text))


@pytest.mark.parametrize(("wrong", "right", "line", "said"), [case for case in MISTAKES if case[3] not in UNSEEN])
def test_what_is_refused_is_refused_by_it_too(wrong, right, line, said):
    assert not VALIDATOR.is_valid(read(SMALL.replace(wrong, right)))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("kind: canary\n    percentage: 10", "kind: shadow\n    percentage: 10"),
        ("kind: canary\n    percentage: 10", "kind: full\n    percentage: 10"),
        ("kind: canary\n    percentage: 10", "kind: canary"),
        ("kind: canary\n    percentage: 10", "kind: cleanup\n    percentage: 100"),
        ("phases:", "metrics: {critical_errors: {query: 'x{flag}{group}', freshness: 'x{flag}'}}\nphases:"),
        ("phases:", "metrics: {csat: {query: 'x{flag}', freshness: 'x{flag}'}}\nphases:"),
        ("phases:", "metrics: {csat: {query: 'x{flag}{group}{tenant}', freshness: 'x{flag}'}}\nphases:"),
        ("phases:", "metrics: {csat: {query: 'x{flag}{group}'}}\nphases:"),
        ("name: small\n", ""),
    ],
)
def test_what_a_phase_or_a_metric_may_not_be(wrong, right):
    assert wrong in SMALL
    assert not VALIDATOR.is_valid(read(SMALL.replace(wrong, right)))


def test_promql_with_matchers_is_no_placeholder():
    query = 'sum(rate(x{flag=\\"{flag}\\",group=\\"{group}\\",code=~\\"5..\\"}[{window}]))'
    given = f'metrics: {{csat: {{query: "{query}", freshness: "max(timestamp(x{{f=\\"{{flag}}\\"}}))"}}}}\nphases:'
    VALIDATOR.validate(read(SMALL.replace("phases:", given)))
