"""What an Unleash client makes of a payload, written from Unleash's description and from nothing of ours.

The real clients are compared with our evaluator too, where they are at hand (tests/interop); this one always is.
"""

from __future__ import annotations

import json
import re
import struct
from datetime import datetime
from typing import Any


class Reference:
    """A client with the features of a payload, or of a stream's events."""

    def __init__(self) -> None:
        self.features: dict[str, dict[str, Any]] = {}

    def take(self, text: str) -> None:
        """Take a whole payload, or the events of a stream."""
        data = json.loads(text)
        if "features" in data:
            self.features = {feature["name"]: feature for feature in data["features"]}
        for event in data.get("events", ()):
            match event["type"]:
                case "hydration":
                    self.features = {feature["name"]: feature for feature in event["features"]}
                case "feature-updated":
                    self.features[event["feature"]["name"]] = event["feature"]
                case "feature-removed":
                    del self.features[event["featureName"]]
                case other:
                    raise AssertionError(other)

    def is_enabled(self, name: str, context: dict[str, str], now: datetime) -> bool:
        feature = self.features.get(name)
        if feature is None or not feature["enabled"]:
            return False
        for parent in feature["dependencies"]:
            other = self.features.get(parent["feature"])
            if other is None or other["dependencies"]:
                return False
            if self.is_enabled(parent["feature"], context, now) != parent["enabled"]:
                return False
        strategies = feature["strategies"]
        return not strategies or any(_strategy(strategy, context, now) for strategy in strategies)


def _strategy(strategy: dict[str, Any], context: dict[str, str], now: datetime) -> bool:
    if not all(_constraint(constraint, context, now) for constraint in strategy["constraints"]):
        return False
    if strategy["name"] == "default":
        return True
    assert strategy["name"] == "flexibleRollout"
    parameters = strategy["parameters"]
    value = context.get(parameters["stickiness"])
    rollout = int(parameters["rollout"])
    return bool(value) and rollout > 0 and murmur3(f"{parameters['groupId']}:{value}") % 100 + 1 <= rollout


def _constraint(constraint: dict[str, Any], context: dict[str, str], now: datetime) -> bool:
    value = context.get(constraint["contextName"])
    match constraint["operator"]:
        case "IN":
            found = value in [item.strip() for item in constraint["values"] if item]
        case "NOT_IN":
            found = value not in [item.strip() for item in constraint["values"] if item]
        case "DATE_BEFORE":
            found = now < datetime.fromisoformat(constraint["value"])
        case "REGEX":
            found = value is not None and re.search(constraint["value"], value) is not None
        case other:
            raise AssertionError(other)
    return found != constraint["inverted"]


def murmur3(text: str) -> int:
    """Murmur3, x86, 32 bit, seed 0."""
    data, state = text.encode(), 0
    whole = len(data) // 4 * 4
    for (block,) in struct.iter_unpack("<I", data[:whole]):
        state ^= _scrambled(block)
        state = (_rotated(state, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    state ^= _scrambled(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        state = ((state ^ (state >> shift)) * factor) & 0xFFFFFFFF
    return state


def _scrambled(block: int) -> int:
    return _rotated(block * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF


def _rotated(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & 0xFFFFFFFF
