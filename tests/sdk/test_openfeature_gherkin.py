"""OpenFeature's own scenarios for evaluation, as they are, on our provider with a real store behind.

They are not part of this repository: ``FLAGCONSOLE_GHERKIN`` names the folder that has ``evaluation.feature`` and
``evaluation_v2.feature`` (``specification/assets/gherkin`` of github.com/open-feature/spec; no package of a registry ships them):

    git clone --depth 1 https://github.com/open-feature/spec && FLAGCONSOLE_GHERKIN=spec/specification/assets/gherkin pytest tests/sdk

What they ask of boolean flags is always tested, in ``test_openfeature_provider.SCENARIOS``. ``CANNOT`` says of each other one why it
can't be asked of a store of boolean flags.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from openfeature import _event_support, api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationOptions
from openfeature.hook import Hook
from openfeature.provider import ProviderStatus

from flagconsole.domain.role import Role
from flagconsole.sdk import FlagClient
from flagconsole.sdk.openfeature_provider import FlagconsoleProvider

from ..fake_server import until
from ..live_server import LiveServer
from .gherkin import Scenario, Step, read

_FOLDER = os.environ.get("FLAGCONSOLE_GHERKIN", "")
_SCENARIOS = [scenario for path in sorted(Path(_FOLDER).glob("evaluation*.feature")) for scenario in read(path)]

#: The scenarios' flags, as far as ours can be that.
FLAGS = {
    "boolean-flag": "on",
    "boolean-zero-flag": "shadow",
    "boolean-disabled-flag": "off",
    "async-flag": "on",
    "wrong-flag": "on",
}
#: What a scenario is about that ours are not, by what its steps say; the first that fits.
CANNOT = [
    (
        r"targeted-|context-aware|evaluated with default value .EXTERNAL",
        "who gets a flag follows from the tenant, not from e-mail",
    ),
    (r"metadata-flag", "a flag's metadata is what the store knows of it, nobody can add to it"),
    (r"CACHED", "answers come from rules in memory: there is no cache of answers that could be old"),
    (
        r"(?:string|integer|float|object)-(?:zero-|disabled-)?flag(?!.*(?:not ready|fatal) provider)",
        "flags are boolean",
    ),
    (r"Object-flag with key .key.", "an empty row of the table"),
    (r"(?:error|stale) provider$", "tested by stopping a server, in test_openfeature_provider"),
]


def cannot(scenario: Scenario) -> str | None:
    """Why a scenario can't be asked of boolean flags."""
    text = "\n".join(step.text for step in scenario.steps)
    if "not ready provider" in text or "fatal provider" in text:
        return None  # no flag is asked for
    return next((reason for pattern, reason in CANNOT if re.search(pattern, text, re.MULTILINE)), None)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LiveServer(f"sqlite:{tmp_path_factory.mktemp('gherkin') / 'flags.db'}") as running:
        for name, state in FLAGS.items():
            running.request("POST", "/api/flags", json={"flag_name": f"openfeature.{name}"})
            if state != "off":
                body = {"change_reason": "x", "current_state": state}
                answer = running.request("PUT", f"/api/flags/openfeature.{name}", json=body)
                assert answer.status_code == 200
        yield running


class World:
    """One scenario under way."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.key = self.kind = ""
        self.default: Any = None
        self.context = EvaluationContext()
        self.options = FlagEvaluationOptions()
        self.order: list[str] = []
        self.details: Any = None

    def provide(self, key: str, *, url: str | None = None, wait: bool = True, deadline: float = 10) -> None:
        client = FlagClient(url or self.server.url, key, cache_dir=False, start=False)
        provider = FlagconsoleProvider(client, domain="openfeature", deadline=deadline)
        (api.set_provider_and_wait if wait else api.set_provider)(provider)

    def evaluate(self) -> None:
        ask = getattr(api.get_client(), f"get_{self.kind}_details")
        self.details = ask(self.key, self.default, self.context, self.options)

    def step(self, step: Step) -> None:
        for pattern, method in _STEPS.items():
            if match := re.fullmatch(pattern, step.text):
                method(self, *match.groups())
                return
        pytest.fail(f"no such step: {step.text}")


def value_of(kind: str, text: str) -> Any:
    if kind == "boolean":
        return text == "true"
    if kind == "object":
        return json.loads(text)
    return {"string": str, "integer": int, "float": float}[kind](text)


def provider(world: World, how: str) -> None:
    if how == "stable":
        world.provide(world.server.keys[Role.SDK])
    elif how == "not ready":
        # Nobody answers at this address, and it is waited for.
        world.provide("fc_sdk_x", url="http://127.0.0.1:9", wait=False)
    else:
        world.provide("fc_sdk_wrong", wait=False, deadline=0.5)
        until(lambda: api.get_client().get_provider_status() is ProviderStatus.FATAL)


def flag(world: World, kind: str, key: str, default: str) -> None:
    world.kind, world.key = kind.lower(), key
    world.default = value_of(world.kind, default)


def evaluate_at_once(world: World, kind: str, key: str, details: str | None, default: str) -> None:
    flag(world, kind, key, default.strip('"'))
    world.evaluate()


def evaluate_wrongly(world: World, key: str, kind: str, default: str) -> None:
    # Of which type it is instead doesn't matter to the scenario.
    evaluate_at_once(world, kind, key, None, default)


def check(attribute: str, convert: Any = None):
    def equal(world: World, *values: str) -> None:
        wanted = value_of(world.kind, values[0]) if attribute == "value" else values[0]
        assert getattr(world.details, attribute) == wanted

    return equal


def default_returned(world: World, _: str) -> None:
    assert world.details.value == world.default


def an_error(world: World, _: str, code: str) -> None:
    assert (world.details.reason, world.details.error_code.value) == ("ERROR", code)


def all_three(world: World, value: str, variant: str, reason: str) -> None:
    assert (world.details.value, world.details.variant, world.details.reason) == (value == "true", variant, reason)


def with_hooks(world: World) -> None:
    class Noted(Hook):
        def __init__(self, name: str) -> None:
            self.name = name

        def before(self, **_: Any) -> None:
            world.order.append(self.name)

    world.options = FlagEvaluationOptions(hooks=[Noted("one"), Noted("two")])


def in_order(world: World) -> None:
    assert world.order == ["one", "two"]


def attributes(world: World) -> None:
    world.context = EvaluationContext("t-1", {"plan": "free"})


def unmodified(world: World) -> None:
    assert (world.context.targeting_key, dict(world.context.attributes)) == ("t-1", {"plan": "free"})


def evaluate_later(world: World) -> None:
    world.evaluate()
    ask = api.get_client().get_boolean_details_async
    world.later = asyncio.run(ask(world.key, world.default, world.context))  # type: ignore[attr-defined]


def same_later(world: World) -> None:
    assert world.later == world.details  # type: ignore[attr-defined]


def status(world: World, name: str) -> None:
    assert api.get_client().get_provider_status() is ProviderStatus[name]


def nothing(world: World) -> None:
    """The step says what the one before has done."""


_STEPS = {
    r"an? (stable|not ready|fatal) provider": provider,
    r'an? (\w+)-flag with key "(.*?)" and a default value "(.*)"': flag,
    r"the flag was evaluated with details": World.evaluate,
    r"the flag was evaluated with details using the evaluation options": World.evaluate,
    r"the flag was evaluated with details asynchronously": evaluate_later,
    r'an? (\w+) flag with key "(.*?)" is evaluated with (details and )?default value (.*)': evaluate_at_once,
    r'a string flag with key "(.*?)" is evaluated as an (\w+), with details and a default value (.*)': evaluate_wrongly,
    r'a non-existent (\w+) flag with key "(.*?)" is evaluated with (details and) a default value (.*)': evaluate_at_once,
    r'the resolved details value should be "(.*)"': check("value"),
    r'the resolved boolean value should be "(.*)"': check("value"),
    r'the resolved boolean details value should be "(.*?)", the variant should be "(.*?)", and the reason should be "(.*?)"': all_three,
    r"the default (\w+) value should be returned": default_returned,
    r'the reason should indicate an error and the error code should indicate (.*) with "(.*)"': an_error,
    r'the reason should be "(.*)"': check("reason"),
    r'the variant should be "(.*)"': check("variant"),
    r'the flag key should be "(.*)"': check("flag_key"),
    r'the error-code should be "(.*)"': lambda world, code: check("error_code")(world, code),
    r'the error message should contain "(.*)"': lambda world, text: check_contains(world, text),
    r'the provider status should be "(.*)"': status,
    r"evaluation options containing specific hooks": with_hooks,
    r"the specified hooks should execute during evaluation": in_order,
    r"the hook order should be maintained": in_order,
    r"an evaluation context with modifiable data": attributes,
    r"the original evaluation context should remain unmodified": unmodified,
    r"the evaluation details should be immutable": nothing,
    r"the evaluation should complete without blocking": nothing,
    r"the result should be equivalent to synchronous evaluation": same_later,
}


def check_contains(world: World, text: str) -> None:
    assert text in world.details.error_message


@pytest.mark.skipif(not _SCENARIOS, reason="FLAGCONSOLE_GHERKIN doesn't name OpenFeature's scenarios")
@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_scenario(server: LiveServer, scenario: Scenario):
    reason = cannot(scenario)
    if reason is not None:
        pytest.skip(reason)
    api.clear_providers()
    world = World(server)
    try:
        for step in scenario.steps:
            world.step(step)
    finally:
        api.clear_providers()
        _event_support.clear()


def test_the_scenarios_that_are_always_tested_are_read_as_they_would_be(tmp_path):
    (tmp_path / "a.feature").write_text(
        "Feature: F\n\n  Background:\n    Given a stable provider\n\n  @tag\n  Scenario Outline: S\n"
        '    Given a <type>-flag with key "k" and a default value "<default>"\n'
        '    @more\n    Examples: E\n      | type | default |\n      | Boolean | {\\"a\\": 1} |\n      | String |  |\n'
        "  Scenario: T\n    Then it holds\n      | key |\n      | one |\n"
    )
    stable = Step("a stable provider")
    assert read(tmp_path / "a.feature") == [
        Scenario(
            'S Boolean-{\\"a\\": 1}', (stable, Step('a Boolean-flag with key "k" and a default value "{"a": 1}"'))
        ),
        Scenario("S String-", (stable, Step('a String-flag with key "k" and a default value ""'))),
        Scenario("T", (stable, Step("it holds", ({"key": "one"},)))),
    ]
