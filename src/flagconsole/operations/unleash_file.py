"""Features of Unleash, read as ours: an export of one environment, or what Unleash gives its clients.

A feature is on where any of its strategies lets it in. One that has no counterpart here lets nobody in: it is left out, and said.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from flagconsole.domain.states import FlagState, FlagType
from flagconsole.operations.foreign_file import (
    NO_NAME,
    OTHER_HASH,
    Imported,
    Reading,
    entry,
    listed,
    override,
    read,
    refuse_empty,
    refuse_twice,
    texts,
    told,
)
from flagconsole.operations.strict_yaml import Node, Place

_TYPES: Final = {
    "release": FlagType.FEATURE,
    "experiment": FlagType.EXPERIMENT,
    "kill-switch": FlagType.KILL_SWITCH,
}
#: What a file may hold besides that says nothing about who gets a feature.
_BESIDE: Final = frozenset(
    {"version", "query", "meta", "tagTypes", "tags", "contextFields", "projects", "environments"}
)
_READ: Final = frozenset(
    {"features", "featureStrategies", "featureEnvironments", "featureTags", "dependencies", "segments"}
)
_EVERYBODY: Final = frozenset({"default"})
_ROLLOUTS: Final = {"flexibleRollout": "rollout", "gradualRolloutUserId": "percentage"}


class _Reach(NamedTuple):
    """Whom one strategy lets in: a percentage by our hash, or named tenants; else why it has no counterpart."""

    percentage: int = 0
    tenants: tuple[str, ...] = ()
    why: str | None = None


def parse_unleash(text: str, place: Place, reading: Reading) -> Imported:
    """The features of an Unleash file. Raises ``InvalidInput`` naming source, line and field."""
    root = read(text, place)
    imported = Imported()
    for key in sorted(root.value.keys() - _READ - _BESIDE):
        if root.value[key].value:
            imported.leave(root.value[key], key, "isn't known here")
    for segment in listed(root, "segments", place):
        imported.leave(segment, f"segment {told(segment, 'name')}", "there are no segments here")
    environment = _environment(root, place, reading)
    for feature in listed(root, "features", place):
        _feature(feature, root, imported, place, reading, environment)
    _settle_dependencies(imported, root, place, reading)
    refuse_empty(imported, root, place)
    return imported


def _environment(root: Node, place: Place, reading: Reading) -> str | None:
    """The environment that is read. Raises ``InvalidInput`` where the file has several and none was named."""
    names = {str(told(item, "environment")) for item in listed(root, "featureEnvironments", place)}
    if reading.environment is not None:
        if names and reading.environment not in names:
            place.refuse(root.line, "featureEnvironments", f"has only {', '.join(sorted(names))}", reading.environment)
        return reading.environment
    if len(names) > 1:
        place.refuse(
            root.line, "featureEnvironments", "are several; choose one with --from-environment", ", ".join(names)
        )
    return next(iter(names), None)


def _feature(
    node: Node, root: Node, imported: Imported, place: Place, reading: Reading, environment: str | None
) -> None:
    name = told(node, "name")
    if not isinstance(name, str):
        place.refuse(node.line, "features.name", "is missing", None)
    flag_name = reading.flag_name(name)
    if told(node, "archived") is True or flag_name is None:
        imported.leave(node, name, "is archived" if told(node, "archived") is True else NO_NAME)
        return
    refuse_twice(imported, flag_name, node, place)
    fields: dict[str, Any] = {"flag_name": flag_name, "tags": _tags(name, node, root, place)}
    description, kind = told(node, "description"), told(node, "type")
    if isinstance(description, str) and description:
        fields["description"] = description
    if kind is not None:
        fields["flag_type"] = _TYPES.get(kind, FlagType.FEATURE)
        fields["is_kill_switch"] = kind == "kill-switch"
        if kind not in _TYPES:
            imported.leave(node, f"{name}.type", f"{kind} isn't a type here; it becomes feature")
    if told(node, "impressionData") is True:
        imported.leave(
            node, f"{name}.impressionData", "every evaluation is counted here, and none is reported one by one"
        )
    if isinstance(node.value.get("variants"), Node) and node.value["variants"].value:
        imported.leave(node.value["variants"], f"{name}.variants", "a flag is on or off; variants have no counterpart")
    strategies = _strategies(name, node, root, place, environment)
    if not _enabled(name, node, root, place, environment):
        if strategies:
            imported.leave(
                strategies[0], f"{name}.strategies", "the feature is disabled, so the flag starts off without them"
            )
        imported.flags[flag_name] = entry(node, place, **fields, current_state=FlagState.OFF)
        return
    reaches = [_reach(strategy, name, flag_name, reading) for strategy in strategies]
    for strategy, reach in zip(strategies, reaches, strict=True):
        if reach.why is not None:
            imported.leave(strategy, f"{name}: strategy {told(strategy, 'name')}", reach.why)
        if strategy.value.get("variants") is not None and strategy.value["variants"].value:
            imported.leave(
                strategy, f"{name}: variants of a strategy", "a flag is on or off; variants have no counterpart"
            )
    # Without any strategy an enabled feature is on for everybody.
    whole = not strategies or any(reach.percentage == 100 and reach.why is None for reach in reaches)
    setting, tenants = _setting(reaches, whole=whole)
    imported.flags[flag_name] = entry(node, place, **fields, **setting)
    imported.overrides += [override(node, place, flag_name, tenant, FlagState.ON) for tenant in tenants]


def _setting(reaches: list[_Reach], *, whole: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The flag's setting, and the tenants that need an override to get what they had."""
    if whole:
        return {"current_state": FlagState.ON}, ()
    known = [reach for reach in reaches if reach.why is None]
    percentage = max((reach.percentage for reach in known), default=0)
    tenants = tuple(sorted({tenant for reach in known for tenant in reach.tenants}))
    if percentage:
        return {"current_state": FlagState.CANARY, "canary_percentage": percentage}, tenants
    if tenants:
        return {"current_state": FlagState.CANARY, "canary_tenant_ids": tenants}, ()
    kept = max((reach.percentage for reach in reaches), default=0)
    return {"current_state": FlagState.OFF, "canary_percentage": kept}, ()


def _reach(node: Node, feature: str, flag_name: str, reading: Reading) -> _Reach:
    name = told(node, "name") or told(node, "strategyName")
    parameters = node.value.get("parameters")
    given = {} if parameters is None or not isinstance(parameters.value, dict) else parameters.value
    if any(node.value.get(key) is not None and node.value[key].value for key in ("segments", "segmentIds")):
        return _Reach(why="it asks for a segment")
    tenants = _constrained(node, reading)
    if tenants is None:
        return _Reach(why=f"it has a constraint that isn't a list of {reading.tenant_field}")
    if name in _EVERYBODY:
        return _Reach(tenants=tuple(tenants)) if tenants else _Reach(100)
    if name == "userWithId":
        ids = str(given["userIds"].value) if "userIds" in given else ""
        if reading.tenant_field != "userId" or tenants:
            return _Reach(why="it names users, not tenants (--tenant-field userId says that they are)")
        return _Reach(tenants=tuple(found for item in ids.split(",") if (found := item.strip())))
    if name not in _ROLLOUTS:
        return _Reach(why="there is no such strategy here")
    share = _percentage(given.get(_ROLLOUTS[name]))
    if share is None:
        return _Reach(why="its percentage can't be read")
    if share == 100:
        return _Reach(tenants=tuple(tenants)) if tenants else _Reach(100)
    if tenants:
        return _Reach(why="it takes a share of named tenants")
    sticky = (
        "userId" if name == "gradualRolloutUserId" else str(given["stickiness"].value if "stickiness" in given else "")
    )
    if sticky != reading.tenant_field:
        return _Reach(why=f"it shares out by {sticky or 'default'}, not by {reading.tenant_field}")
    group = str(given["groupId"].value) if "groupId" in given else feature
    return _Reach(share, why=None if group == flag_name else OTHER_HASH)


def _percentage(node: Node | None) -> int | None:
    """A whole percentage, which Unleash keeps as text or number."""
    value = None if node is None else node.value
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()
    return int(text) if text.isdecimal() and text.isascii() and int(text) <= 100 else None


def _constrained(node: Node, reading: Reading) -> list[str] | None:
    """The tenants that the strategy's one constraint names; none where it has none; None where it has another."""
    constraints = node.value.get("constraints")
    items = [] if constraints is None or not isinstance(constraints.value, list) else constraints.value
    if not items:
        return []
    values = texts(items[0].value.get("values")) if len(items) == 1 and isinstance(items[0].value, dict) else None
    if not values or told(items[0], "contextName") != reading.tenant_field or told(items[0], "operator") != "IN":
        return None
    if told(items[0], "inverted") is True or told(items[0], "caseInsensitive") is True:
        return None
    return values


def _strategies(name: str, feature: Node, root: Node, place: Place, environment: str | None) -> list[Node]:
    """The feature's strategies that are not turned off."""
    found = listed(feature, "strategies", place)
    for strategy in listed(root, "featureStrategies", place):
        there = told(strategy, "environment")
        if told(strategy, "featureName") == name and (there is None or environment is None or there == environment):
            found.append(strategy)
    return [strategy for strategy in found if told(strategy, "disabled") is not True]


def _enabled(name: str, feature: Node, root: Node, place: Place, environment: str | None) -> bool:
    """Whether the feature is on in the environment. One that says nothing of it is off."""
    for item in listed(root, "featureEnvironments", place):
        named = told(item, "featureName") == name or told(item, "name") == name
        if named and (environment is None or told(item, "environment") == environment):
            return told(item, "enabled") is True
    return told(feature, "enabled") is True


def _tags(name: str, feature: Node, root: Node, place: Place) -> tuple[str, ...]:
    found = []
    for item in listed(root, "featureTags", place):
        if told(item, "featureName") == name:
            kind, value = told(item, "tagType") or told(item, "type"), told(item, "tagValue") or told(item, "value")
            found.append(str(value) if kind in {None, "simple"} else f"{kind}:{value}")
    if told(feature, "project") not in {None, "default"}:
        found.append(f"project:{told(feature, 'project')}")
    if told(feature, "stale") is True:
        found.append("stale")
    return tuple(dict.fromkeys(found))


def _settle_dependencies(imported: Imported, root: Node, place: Place, reading: Reading) -> None:
    """Let each flag depend on what its feature did. A condition that can't be kept would let in more: then the flag starts off."""
    wanted = [(str(told(item, "feature")), item) for item in listed(root, "dependencies", place)]
    wanted += [(str(told(item, "name")), item) for item in listed(root, "features", place)]
    for name, node in wanted:
        flag_name = reading.flag_name(name)
        if flag_name is None or flag_name not in imported.flags:
            continue
        for parent in listed(node, "dependencies", place):
            parent_name = reading.flag_name(str(told(parent, "feature")))
            flag = imported.flags[flag_name]
            plain = told(parent, "enabled") is not False and not (
                parent.value.get("variants") is not None and parent.value["variants"].value
            )
            if parent_name in imported.flags and plain:
                dependencies = (*(flag.dependencies or ()), parent_name)
                imported.flags[flag_name] = flag.model_copy(update={"dependencies": dependencies})
                continue
            why = "asks for its absence or a variant" if parent_name in imported.flags else "isn't taken over"
            imported.leave(parent, f"{name}: dependency {told(parent, 'feature')}", f"{why}, so the flag starts off")
            imported.flags[flag_name] = flag.model_copy(update={"current_state": FlagState.OFF})
            imported.overrides = [item for item in imported.overrides if item.flag_name != flag_name]
