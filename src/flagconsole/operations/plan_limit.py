"""A limit of a plan in words: ``error_rate <= 0.5 %``, ``latency_p95 > 800 ms``, ``critical_errors >= 1``.

A share and a change are given in ``%`` and a latency in ``ms``: a bare ``error_rate > 1`` would be meant as one per cent and read as all,
which never rolls anything back. Nought needs no unit, a count has none, and a gauge is in its service's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import ValidationError

from flagconsole.domain.metric import STANDARD_METRICS, MetricKind
from flagconsole.domain.plan import Criterion
from flagconsole.domain.plan_metric import ONE_NUMBER, PlanMetric
from flagconsole.domain.text import safe_text
from flagconsole.operations.strict_yaml import Node, Place, kind_of, plain
from flagconsole.operations.validation import field_path, problem_of, shown_value

#: What the plan has measured elsewhere.
Metrics = Mapping[str, PlanMetric]

FIELDS: Final = ("limit", "kind", "evidence")
#: The unit that a kind's limits are written in; an empty one is none. A gauge has its service's own.
UNITS: Final[dict[MetricKind, str]] = {
    MetricKind.RATIO: "%",
    MetricKind.CHANGE: "%",
    MetricKind.LATENCY: "ms",
    MetricKind.COUNT: "",
}
_LIMIT: Final = re.compile(r"\s*([a-z][a-z0-9_]{0,63})\s*(<=|>=|<|>)\s*([-+]?[0-9]+(?:\.[0-9]+)?)\s*(%|ms)?\s*")


def criterion_of(node: Node, path: str, metrics: Metrics, place: Place) -> Criterion:
    """The criterion that a limit is. Raises ``InvalidInput`` that names source, line, field and the limit as it is written."""
    extra: dict[str, Any] = {}
    text = node.value
    if isinstance(text, dict):
        for key in text:
            if key not in FIELDS:
                problem = f"is not a field here; fields are {', '.join(FIELDS)}"
                place.refuse(node.lines[key], f"{path}.{safe_text(key, 60)}", problem, kind_of(plain(text[key])))
        text = plain(node).get("limit")
        extra = {key: plain(value) for key, value in node.value.items() if key != "limit"}
    match = _LIMIT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        place.refuse(node.line, path, "must be like 'error_rate <= 0.5 %' or 'latency_p95 > 800 ms'", kind_of(text))
    metric, comparison, number, unit = match.groups(default="")
    given = metrics.get(metric)
    known = {} if given is None or given.kind is None else {"kind": given.kind}
    if given is None and "kind" not in extra and (close := _meant(metric)):
        problem = f"there is no metric {metric}; did you mean {close}? A metric of your own says its kind: "
        place.refuse(node.line, path, problem + f"{{limit: …, kind: {MetricKind.RATIO}}}", shown_value(text))
    # Through text, since 0.3 / 100 is not the float that 0.003 is.
    value = float(f"{number}e-2") if unit == "%" else float(number)
    try:
        fields = {"metric": metric, "comparison": comparison, "value": value, **known, **extra}
        criterion = Criterion.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = field_path((path, *first["loc"]))
        place.refuse(node.line, where, problem_of(first), shown_value(first["input"] if first["loc"] else text))
    if (wrong := _wrong_unit(criterion, number, unit)) is not None:
        place.refuse(node.line, path, wrong, shown_value(text))
    if given is not None and ".rollback[" in path and not criterion.acts_on_one_number:
        place.refuse(node.line, path, ONE_NUMBER, shown_value(text))
    return criterion


def _meant(metric: str) -> str | None:
    """The standard metric that a name which isn't one was probably meant to be."""
    return None if metric in STANDARD_METRICS else next(iter(get_close_matches(metric, STANDARD_METRICS, n=1)), None)


def _wrong_unit(criterion: Criterion, number: str, unit: str) -> str | None:
    wanted = UNITS.get(criterion.metric_kind, unit)
    if unit == wanted or (not unit and criterion.value == 0):
        return None
    if not wanted:
        return f"{criterion.metric} is a count and has no unit: '{criterion.metric} {criterion.comparison} {number}'"
    return f"needs its unit: '{criterion.metric} {criterion.comparison} {number} {wanted}'"
