"""flagd's core in process: its fractional operation, the override as a condition."""

import json
from importlib.metadata import version as installed

from openfeature.contrib.tools.flagd.core.flagd_core import FlagdCore
from openfeature.evaluation_context import EvaluationContext


def version():
    return installed("openfeature-flagd-core")


def prepare(flags, folder):
    targeting = {
        "if": [
            {"===": [{"var": "targetingKey"}, "tenant-0007"]},
            "on",
            {"fractional": [["on", 10], ["off", 90]]},
        ]
    }
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", "targeting": targeting}
    return json.dumps({"flags": {f"team.flag_{number:05}": flag for number in range(flags)}})


def load(prepared):
    core = FlagdCore()
    core.set_flags(prepared)
    return core


def asker(core):
    ask = core.resolve_boolean_value
    return lambda flag, tenant: ask(flag, False, EvaluationContext(tenant)).value
