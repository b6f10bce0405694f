"""Plans as files: phases with their limits in words, such as ``error_rate <= 0.5 %``, and criteria of single flags.

A limit is text (``plan_limit``), or a mapping with ``limit`` and besides it ``kind`` for a custom metric and ``evidence: threshold``
for the plain rule. ``metrics`` holds those that Prometheus measures, by name, each with its ``query`` and ``freshness``. Mistakes are
named by source, line and field, all at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final, NamedTuple

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.metric import is_metric_name
from flagconsole.domain.names import is_flag_name
from flagconsole.domain.plan import Criterion, FlagCriteria, Phase, PhaseCriteria, Plan
from flagconsole.domain.plan_metric import PlanMetric, refuse_metric
from flagconsole.domain.text import safe_text
from flagconsole.operations.mistakes import Mistakes
from flagconsole.operations.plan_limit import criterion_of
from flagconsole.operations.strict_yaml import Node, Place, kind_of, parse_yaml, plain
from flagconsole.operations.validation import shown_value

#: The plans that ship with the package.
SHIPPED: Final = ("default", "demo")

_PLAN_FIELDS: Final = ("name", "description", "auto_promote", "auto_rollback", "metrics", "phases", "flags")
_PHASE_FIELDS: Final = (
    *("name", "kind", "percentage", "min_hours", "min_minutes", "min_operations", "min_tenants"),
    *("min_difference_ms", "success", "rollback", "monitoring", "look_seconds"),
)
_METRIC_FIELDS: Final = ("query", "freshness", "kind")


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

    Raises ``InvalidInput`` whose ``field`` names source, line and field, and whose ``also`` holds what else is wrong.
    """
    place = Place(safe_text(source, 100))
    return plan_of(parse_yaml(text, place), place)


def plan_of(root: Node, place: Place) -> PlanFile:
    """The plan that a part of a file defines. Raises ``InvalidInput`` as ``parse_plan`` does."""
    mistakes = Mistakes(place)
    reader = _Reader(mistakes)
    read = reader.read(root)
    mistakes.tell()
    assert read is not None
    return read


class _Reader:
    """Reads a file part by part; what is wrong goes to the mistakes, and the parts that are right are read on."""

    def __init__(self, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._metrics: dict[str, PlanMetric] = {}

    def read(self, root: Node) -> PlanFile | None:
        """The plan; None, with a mistake noted, where it can't be one."""
        known = self._mistakes.fields(root, "plan", _PLAN_FIELDS)
        listed = known.get("phases")
        self._read_metrics(known.get("metrics"))
        if listed is None or not isinstance(listed.value, list):
            self._mistakes.note(root.line, "phases", "must be a list of at least one phase", None)
            return None
        phases = [self._phase(node, f"phases[{index}]") for index, node in enumerate(listed.value)]
        own = self._read_flags(known.get("flags"))
        fields = {key: plain(node) for key, node in known.items() if key not in {"phases", "flags", "metrics"}}
        if self._mistakes.found:
            self._mistakes.valid(Plan, fields | {"phases": ()}, root, "", besides="phases")
            return None
        plan = self._mistakes.valid(Plan, fields | {"phases": phases, "metrics": self._metrics}, root, "")
        if plan is None:
            return None
        for name, criteria in own.items():
            self._mistakes.checked(partial(plan.for_flag, criteria), known["flags"].lines[name], f"flags.{name}")
        return PlanFile(plan, own)

    def _read_metrics(self, node: Node | None) -> None:
        if node is None or node.value is None:
            return
        for name, item in self._mistakes.mapping(node, "metrics").items():
            line, path = node.lines[name], f"metrics.{safe_text(name, 64)}"
            if not is_metric_name(name):
                problem = "must be lower-case letters, digits and underscores, like error_rate"
                self._mistakes.note(line, path, problem, None)
                continue
            known = self._mistakes.fields(item, path, _METRIC_FIELDS)
            metric = self._mistakes.valid(PlanMetric, {key: plain(value) for key, value in known.items()}, item, path)
            if metric is not None:
                self._mistakes.checked(partial(refuse_metric, name, metric), line, path)
                self._metrics[name] = metric

    def _phase(self, node: Node, path: str) -> Phase | None:
        known = self._mistakes.fields(node, path, _PHASE_FIELDS)
        fields = {key: plain(value) for key, value in known.items() if key not in {"success", "rollback"}}
        before = len(self._mistakes.found)
        if "min_minutes" in fields:
            self._minutes(node, fields, path)
        for which in ("success", "rollback"):
            if which in known:
                fields[which] = self._criteria(known[which], f"{path}.{which}")
        phase = self._mistakes.valid(Phase, fields, node, path)
        return phase if len(self._mistakes.found) == before else None

    def _minutes(self, node: Node, fields: dict[str, Any], path: str) -> None:
        line, where, minutes = node.lines["min_minutes"], f"{path}.min_minutes", fields.pop("min_minutes")
        if "min_hours" in fields:
            self._mistakes.note(line, where, "is given besides min_hours", shown_value(minutes))
        elif isinstance(minutes, bool) or not isinstance(minutes, int | float):
            self._mistakes.note(line, where, "must be a number", shown_value(minutes))
        else:
            fields["min_hours"] = minutes / 60

    def _criteria(self, node: Node, path: str) -> tuple[Criterion, ...]:
        if not isinstance(node.value, list):
            problem = "must be a list of limits such as 'error_rate <= 0.5 %'"
            self._mistakes.note(node.line, path, problem, kind_of(node.value))
            return ()
        found: list[Criterion] = []
        for index, item in enumerate(node.value):
            with self._mistakes.part(item.line):
                found.append(criterion_of(item, f"{path}[{index}]", self._metrics, self._mistakes.place))
        return tuple(found)

    def _read_flags(self, node: Node | None) -> dict[str, FlagCriteria]:
        if node is None or node.value is None:
            return {}
        found: dict[str, FlagCriteria] = {}
        for name, phases in self._mistakes.mapping(node, "flags").items():
            path = f"flags.{safe_text(name, 100)}"
            if not is_flag_name(name):
                self._mistakes.note(node.lines[name], path, "must be like domain.feature", safe_text(name, 100))
                continue
            own: dict[str, PhaseCriteria] = {}
            for phase, lists in self._mistakes.mapping(phases, path).items():
                where = f"{path}.{phase}"
                known = self._mistakes.fields(lists, where, ("success", "rollback"))
                own[phase] = PhaseCriteria(
                    **{which: self._criteria(value, f"{where}.{which}") for which, value in known.items()}
                )
            found[name] = FlagCriteria(flag_name=name, phases=own)
        return found
