"""Flags of flagd, read as ours: boolean flags, on, off, for named tenants, or for a share of them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from flagconsole.domain.states import FlagState
from flagconsole.operations.foreign_file import (
    NO_NAME,
    OTHER_HASH,
    Imported,
    Reading,
    entry,
    override,
    read,
    refuse_empty,
    refuse_twice,
    told,
)
from flagconsole.operations.strict_yaml import Node, Place, kind_of

_READ: Final = frozenset({"$schema", "flags", "$evaluators", "metadata"})
_FIELDS: Final = frozenset({"key", "state", "variants", "defaultVariant", "targeting", "metadata"})
_OFF: Final = "starts off: "


class _Meaning(NamedTuple):
    """What a flag's targeting comes to; ``why`` says what of it can't be ours."""

    fields: dict[str, Any]
    overrides: tuple[tuple[str, FlagState], ...] = ()
    why: str | None = None


def parse_flagd(text: str, place: Place, reading: Reading) -> Imported:
    """The flags of a flagd file. Raises ``InvalidInput`` naming source, line and field."""
    root = read(text, place)
    imported = Imported()
    for key in root.value.keys() - _READ:
        imported.leave(root.value[key], key, "isn't known here")
    for key in ("$evaluators", "metadata"):
        if root.value.get(key) is not None and root.value[key].value:
            imported.leave(root.value[key], key, "flags have nothing like it")
    for name, node in _flags(root, place):
        _flag(name, node, imported, place, reading)
    refuse_empty(imported, root, place)
    return imported


def _flags(root: Node, place: Place) -> list[tuple[str, Node]]:
    """The flags by name: a mapping, or a list of those that say their key."""
    found = root.value.get("flags")
    if found is None or not isinstance(found.value, dict | list):
        place.refuse(root.line, "flags", "must be a mapping or a list of flags", None if found is None else found.value)
    items = list(found.value.items()) if isinstance(found.value, dict) else [(None, node) for node in found.value]
    named = []
    for index, (name, node) in enumerate(items):
        if not isinstance(node.value, dict):
            place.refuse(node.line, f"flags.{name or index}", "must be a mapping", kind_of(node.value))
        key = told(node, "key") if name is None else name
        if not isinstance(key, str):
            place.refuse(node.line, f"flags[{index}].key", "is missing", None)
        named.append((key, node))
    return named


def _flag(name: str, node: Node, imported: Imported, place: Place, reading: Reading) -> None:
    flag_name = reading.flag_name(name)
    if flag_name is None:
        imported.leave(node, name, NO_NAME)
        return
    refuse_twice(imported, flag_name, node, place)
    for key in sorted(node.value.keys() - _FIELDS | ({"metadata"} & node.value.keys())):
        imported.leave(node.value[key], f"{name}.{key}", "flags have nothing like it")
    variants = node.value.get("variants")
    values = {} if variants is None or not isinstance(variants.value, dict) else variants.value
    booleans = {variant: value.value for variant, value in values.items() if isinstance(value.value, bool)}
    if not booleans or len(booleans) != len(values):
        imported.leave(node, name, "its variants aren't all true or false; it isn't taken over")
        return
    meaning = _meaning(node, booleans, reading)
    if meaning.why is not None:
        imported.leave(node.value.get("targeting", node), name, meaning.why)
    imported.flags[flag_name] = entry(node, place, flag_name=flag_name, **meaning.fields)
    imported.overrides += [override(node, place, flag_name, tenant, state) for tenant, state in meaning.overrides]


def _meaning(node: Node, variants: dict[str, bool], reading: Reading) -> _Meaning:
    off = {"current_state": FlagState.OFF}
    state, default = told(node, "state"), told(node, "defaultVariant")
    if state == "DISABLED":
        return _Meaning(off)
    if state != "ENABLED":
        return _Meaning(off, why=f"{_OFF}its state is neither ENABLED nor DISABLED")
    if default not in variants:
        return _Meaning(off, why=f"{_OFF}without a default variant the code decides")
    usual = variants[default]
    targeting = node.value.get("targeting")
    if targeting is None or not targeting.value:
        return _Meaning({"current_state": FlagState.ON} if usual else off)
    if isinstance(targeting.value, dict) and len(targeting.value) == 1:
        if "fractional" in targeting.value:
            return _fractional(targeting.value["fractional"], variants, reading)
        if "if" in targeting.value:
            return _condition(targeting.value["if"], variants, usual, reading)
    return _Meaning(off, why=f"{_OFF}this targeting has no counterpart")


def _fractional(node: Node, variants: dict[str, bool], reading: Reading) -> _Meaning:
    """A share of the tenants. flagd's hash isn't ours, so that the tenants would be others."""
    off = {"current_state": FlagState.OFF}
    parts = list(node.value) if isinstance(node.value, list) else []
    if parts and isinstance(parts[0].value, dict):
        if not _by_tenant(parts.pop(0), reading):
            return _Meaning(off, why=f"{_OFF}it shares out by something else than {reading.tenant_field}")
    else:
        return _Meaning(off, why=f"{_OFF}it shares out by the targeting key, which may not be the tenant")
    weights: dict[bool, float] = {True: 0, False: 0}
    for part in parts:
        items = [item.value for item in part.value] if isinstance(part.value, list) else []
        weight = items[1] if len(items) == 2 else 1 if len(items) == 1 else None
        if not items or items[0] not in variants or isinstance(weight, bool) or not isinstance(weight, int | float):
            return _Meaning(off, why=f"{_OFF}its shares can't be read")
        weights[variants[items[0]]] += weight
    whole = weights[True] + weights[False]
    if whole <= 0 or min(weights.values()) < 0:
        return _Meaning(off, why=f"{_OFF}its shares can't be read")
    # Never a tenant more: a share between two percents is the lower one.
    return _Meaning(off | {"canary_percentage": int(weights[True] * 100 // whole)}, why=OTHER_HASH)


def _by_tenant(node: Node, reading: Reading) -> bool:
    """Whether what is shared out by names the tenant, alone or behind the flag's key."""
    parts = node.value.get("cat")
    names = [node] if parts is None or not isinstance(parts.value, list) else parts.value
    return [_variable(part) for part in names][-1:] == [reading.tenant_field] and all(
        _variable(part) in {reading.tenant_field, "$flagd.flagKey"} for part in names
    )


def _variable(node: Node) -> str | None:
    if not isinstance(node.value, dict) or set(node.value) != {"var"}:
        return None
    name = node.value["var"].value
    if isinstance(name, list) and len(name) == 1:
        name = name[0].value
    return name if isinstance(name, str) else None


def _condition(node: Node, variants: dict[str, bool], usual: bool, reading: Reading) -> _Meaning:
    """Named tenants get one variant and everybody else the other."""
    off = {"current_state": FlagState.OFF}
    parts = node.value if isinstance(node.value, list) else []
    named = _tenants(parts[0], reading) if parts else None
    words = [part.value for part in parts[1:]]
    if named is None or not 1 <= len(words) <= 2 or not all(isinstance(word, str | None) for word in words):
        return _Meaning(off, why=f"{_OFF}this condition has no counterpart")
    # Null is the default variant, and so is what nobody said.
    gives = [usual if word is None else variants.get(word) for word in (*words, None)]
    inside, outside = gives[0], gives[1]
    if inside is None or outside is None:
        return _Meaning(off, why=f"{_OFF}this condition gives a variant that isn't there")
    if inside == outside:
        return _Meaning({"current_state": FlagState.ON} if inside else off)
    if inside:
        return _Meaning({"current_state": FlagState.CANARY, "canary_tenant_ids": tuple(named)} if named else off)
    return _Meaning({"current_state": FlagState.ON}, tuple((tenant, FlagState.OFF) for tenant in named))


def _tenants(node: Node, reading: Reading) -> list[str] | None:
    """The tenants that a condition names; None where it is about something else."""
    if not isinstance(node.value, dict) or len(node.value) != 1:
        return None
    operator, found = next(iter(node.value.items()))
    parts = found.value if isinstance(found.value, list) else []
    if len(parts) != 2 or _variable(parts[0]) != reading.tenant_field:
        return None
    values = [parts[1]] if operator in {"==", "==="} else parts[1].value if operator == "in" else None
    if not isinstance(values, list) or not all(isinstance(value.value, str) and value.value for value in values):
        return None
    return [value.value for value in values]
