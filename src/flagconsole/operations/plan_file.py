"""Plans as files: phases with their limits in words, such as ``error_rate <= 0.5 %``, and criteria of single flags.

A limit is text (metric, comparison, number, and ``%`` or ``ms``), or a mapping with ``limit`` and besides it ``kind`` for a
custom metric and ``evidence: threshold`` for the plain rule. ``metrics`` holds those that Prometheus measures, by name, each
with its ``query`` and ``freshness``. Mistakes are named by source, line and field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.metric import is_metric_name
from flagconsole.domain.names import is_flag_name
from flagconsole.domain.plan import Criterion, FlagCriteria, Phase, PhaseCriteria, Plan
from flagconsole.domain.plan_metric import ONE_NUMBER, PlanMetric, refuse_metric
from flagconsole.domain.text import safe_text
from flagconsole.operations.strict_yaml import Node, Place, kind_of, line_of, parse_yaml, plain
from flagconsole.operations.validation import field_path, problem_of, shown_value

#: The plans that ship with the package.
SHIPPED: Final = ("default", "demo")

_LIMIT: Final = re.compile(r"\s*([a-z][a-z0-9_]{0,63})\s*(<=|>=|<|>)\s*([-+]?[0-9]+(?:\.[0-9]+)?)\s*(%|ms)?\s*")
_PLAN_FIELDS: Final = ("name", "description", "auto_promote", "auto_rollback", "metrics", "phases", "flags")
_PHASE_FIELDS: Final = (
    *("name", "kind", "percentage", "min_hours", "min_minutes", "min_operations", "min_tenants"),
    *("min_difference_ms", "success", "rollback", "monitoring", "look_seconds"),
)
_LIMIT_FIELDS: Final = ("limit", "kind", "evidence")
_METRIC_FIELDS: Final = ("query", "freshness", "kind")

#: What the plan has measured elsewhere.
Metrics = Mapping[str, PlanMetric]
Model = TypeVar("Model", bound=BaseModel)


class PlanFile(NamedTuple):
    """A plan with the criteria that single flags have of their own."""

    plan: Plan
    flags: dict[str, FlagCriteria]

    def for_flag(self, flag_name: str) -> Plan:
        """The plan as it applies to one flag."""
        own = self.flags.get(flag_name)
        return self.plan if own is None else self.plan.for_flag(own)


@cache
def shipped_plan(name: str) -> PlanFile:
    """A plan that ships with the package: ``default``, or ``demo`` with phases of minutes."""
    text = files("flagconsole").joinpath("data", "plans", f"{name}.yaml").read_text(encoding="utf-8")
    return parse_plan(text, f"{name}.yaml")


def named_plan(wanted: str, flag_name: str, besides: Sequence[str] = ()) -> Plan:
    """A shipped plan as it applies to the flag. Raises ``InvalidInput`` for a name that isn't known, which names those that are
    ``besides``."""
    if wanted not in SHIPPED:
        raise InvalidInput(
            f"Plans here are {', '.join((*SHIPPED, *besides))}; or give one whole.",
            field="plan_name",
            problem="is not a known plan",
            value=wanted,
        )
    return shipped_plan(wanted).for_flag(flag_name)


def parse_plan(text: str, source: str) -> PlanFile:
    """The plan that ``text`` defines; ``source`` names it in errors.

    Raises ``InvalidInput`` whose ``field`` names source, line and field.
    """
    place = Place(safe_text(source, 100))
    return plan_of(parse_yaml(text, place), place)


def plan_of(root: Node, place: Place) -> PlanFile:
    """The plan that a part of a file defines. Raises ``InvalidInput`` whose ``field`` names source, line and field."""
    _fields(root, "plan", _PLAN_FIELDS, place)
    listed = root.value.get("phases")
    if listed is None or not isinstance(listed.value, list):
        place.refuse(root.line, "phases", "must be a list of at least one phase", None)
    metrics = _metrics(root.value.get("metrics"), place)
    phases = [_phase(node, f"phases[{index}]", metrics, place) for index, node in enumerate(listed.value)]
    fields = {key: plain(node) for key, node in root.value.items() if key not in {"phases", "flags", "metrics"}}
    plan = _valid(Plan, fields | {"phases": phases, "metrics": metrics}, root, "", place)
    return PlanFile(plan, _flags(root.value.get("flags"), plan, metrics, place))


def _metrics(node: Node | None, place: Place) -> dict[str, PlanMetric]:
    if node is None or node.value is None:
        return {}
    found: dict[str, PlanMetric] = {}
    for name, item in _mapping(node, "metrics", place).items():
        line, path = node.lines[name], f"metrics.{safe_text(name, 64)}"
        if not is_metric_name(name):
            place.refuse(line, path, "must be lower-case letters, digits and underscores, like error_rate", None)
        _fields(item, path, _METRIC_FIELDS, place)
        metric = _valid(PlanMetric, {key: plain(value) for key, value in item.value.items()}, item, path, place)
        _checked(partial(refuse_metric, name, metric), line, path, place)
        found[name] = metric
    return found


def _phase(node: Node, path: str, metrics: Metrics, place: Place) -> Phase:
    _fields(node, path, _PHASE_FIELDS, place)
    fields = {key: plain(value) for key, value in node.value.items() if key not in {"success", "rollback"}}
    if "min_minutes" in fields:
        if "min_hours" in fields:
            place.refuse(node.lines["min_minutes"], f"{path}.min_minutes", "is given besides min_hours", None)
        minutes = fields.pop("min_minutes")
        if isinstance(minutes, bool) or not isinstance(minutes, int | float):
            place.refuse(node.lines["min_minutes"], f"{path}.min_minutes", "must be a number", shown_value(minutes))
        fields["min_hours"] = minutes / 60
    for which in ("success", "rollback"):
        if which in node.value:
            fields[which] = _criteria(node.value[which], f"{path}.{which}", metrics, place)
    return _valid(Phase, fields, node, path, place)


def _criteria(node: Node, path: str, metrics: Metrics, place: Place) -> tuple[Criterion, ...]:
    if not isinstance(node.value, list):
        place.refuse(node.line, path, "must be a list of limits such as 'error_rate <= 0.5 %'", kind_of(node.value))
    return tuple(_criterion(item, f"{path}[{index}]", metrics, place) for index, item in enumerate(node.value))


def _criterion(node: Node, path: str, metrics: Metrics, place: Place) -> Criterion:
    extra: dict[str, Any] = {}
    text = node.value
    if isinstance(text, dict):
        _fields(node, path, _LIMIT_FIELDS, place)
        text = plain(node).get("limit")
        extra = {key: plain(value) for key, value in node.value.items() if key != "limit"}
    match = _LIMIT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        place.refuse(node.line, path, "must be like 'error_rate <= 0.5 %' or 'latency_p95 > 800 ms'", kind_of(text))
    metric, comparison, number, unit = match.groups()
    # Through text, since 0.3 / 100 is not the float that 0.003 is.
    value = float(f"{number}e-2") if unit == "%" else float(number)
    given = metrics.get(metric)
    known = {} if given is None or given.kind is None else {"kind": given.kind}
    fields = {"metric": metric, "comparison": comparison, "value": value, **known, **extra}
    criterion = _valid(Criterion, fields, node, path, place)
    if given is not None and ".rollback[" in path and not criterion.acts_on_one_number:
        place.refuse(node.line, path, ONE_NUMBER, safe_text(text, 100))
    return criterion


def _flags(node: Node | None, plan: Plan, metrics: Metrics, place: Place) -> dict[str, FlagCriteria]:
    if node is None or node.value is None:
        return {}
    found: dict[str, FlagCriteria] = {}
    for name, phases in _mapping(node, "flags", place).items():
        line, path = node.lines[name], f"flags.{name}"
        if not is_flag_name(name):
            place.refuse(line, path, "must be like domain.feature", safe_text(name, 100))
        own: dict[str, PhaseCriteria] = {}
        for phase, lists in _mapping(phases, path, place).items():
            _fields(lists, f"{path}.{phase}", ("success", "rollback"), place)
            own[phase] = PhaseCriteria(
                **{
                    which: _criteria(value, f"{path}.{phase}.{which}", metrics, place)
                    for which, value in lists.value.items()
                }
            )
        criteria = FlagCriteria(flag_name=name, phases=own)
        _checked(partial(plan.for_flag, criteria), line, path, place)
        found[name] = criteria
    return found


def _mapping(node: Node, path: str, place: Place) -> dict[str, Node]:
    if not isinstance(node.value, dict):
        place.refuse(node.line, path, "must be a mapping", kind_of(node.value))
    return node.value


def _fields(node: Node, path: str, known: tuple[str, ...], place: Place) -> None:
    for key in _mapping(node, path, place):
        if key not in known:
            close = get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"fields are {', '.join(known)}"
            place.refuse(node.lines[key], f"{path}.{safe_text(key, 60)}", f"is not a field here; {hint}", None)


def _checked(work: Callable[[], object], line: int, path: str, place: Place) -> None:
    try:
        work()
    except ValidationError as error:
        place.refuse(line, path, problem_of(error.errors()[0]), None)
    except ValueError as error:
        place.refuse(line, path, safe_text(error, 300), None)


def _valid(model: type[Model], fields: dict[str, Any], node: Node, path: str, place: Place) -> Model:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        location = first["loc"]
        in_node = bool(location) and isinstance(node.value, dict) and str(location[0]) in node.value
        line = line_of(node, str(location[0]), location[1:]) if in_node else node.line
        where = field_path((path, *location)) if path else field_path(location or ("plan",))
        place.refuse(line, where, problem_of(first), shown_value(first.get("input")))
