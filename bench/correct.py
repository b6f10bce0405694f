"""Are the answers that were timed the right ones? The specification's rules again, plainly, beside the SDK's, after every kind of
change."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import mmh3

from flagconsole.domain.evaluation import MEMO_LIMIT, OverrideRule, Rule, Ruleset
from flagconsole.domain.states import FlagState
from flagconsole.sdk import FlagClient

TENANTS = [f"tenant-{number:04}" for number in range(1000)]
OVERRIDDEN = "tenant-0007"
_CAPS = {"kill": "off", "off": "off", "shadow": "shadow"}


@dataclass(frozen=True)
class Flag:
    """A flag as the specification has it."""

    state: str
    percentage: int = 0
    cohort: frozenset[str] = frozenset()
    dependencies: tuple[str, ...] = ()


@dataclass
class World:
    """All flags and overrides, and what the specification says of them."""

    flags: dict[str, Flag] = field(default_factory=dict)
    overrides: dict[tuple[str, str], str] = field(default_factory=dict)

    def own(self, name: str, tenant: str) -> str:
        """The state before dependencies."""
        flag = self.flags[name]
        if flag.state == "kill":
            return "kill"
        if (name, tenant) in self.overrides:
            return self.overrides[name, tenant]
        if flag.state != "canary":
            return flag.state
        if flag.cohort:
            return "canary" if tenant in flag.cohort else "off"
        share = mmh3.hash(f"{name}:{tenant}", 0, signed=False) % 100 + 1
        return "canary" if share <= flag.percentage else "off"

    def effective(self, name: str, tenant: str) -> str:
        """The effective state."""
        if name not in self.flags:
            return "off"
        state = self.own(name, tenant)
        if state in ("kill", "off"):
            return state
        for other in self.flags[name].dependencies:
            if other in self.flags:
                cap = _CAPS.get(self.effective(other, tenant))
                if cap == "off":
                    return "off"
                state = cap or state
        return state

    def ruleset(self, revision: int) -> Ruleset:
        """The same as rules."""
        rules = {
            name: Rule(name, FlagState(flag.state), flag.percentage, flag.cohort, flag.dependencies, 1)
            for name, flag in self.flags.items()
        }
        tenants: dict[str, dict[str, OverrideRule]] = {}
        for (name, tenant), state in self.overrides.items():
            tenants.setdefault(name, {})[tenant] = OverrideRule(FlagState(state))
        return Ruleset("e", revision, rules, tenants)


def enabled_by_specification(name: str, percentage: int) -> list[str]:
    """Which of ``TENANTS`` get a canary of ``percentage`` with the one override."""
    world = World({name: Flag("canary", percentage)}, {(name, OVERRIDDEN): "on"})
    return [tenant for tenant in TENANTS if world.effective(name, tenant) in ("canary", "on")]


def wrong_answers(tenants: list[str] = TENANTS) -> list[str]:
    """What the SDK answers otherwise than the specification, as lines; each kind of change is followed by asking for everybody,
    so that an answer which was remembered for too long shows."""
    name, needed = "team.flag_00015", "team.flag_00001"
    world = World({name: Flag("off"), needed: Flag("on")})
    first = world.flags[name]

    def with_flag(flag_name: str, **new: object) -> None:
        world.flags[flag_name] = replace(world.flags[flag_name], **new)  # type: ignore[arg-type]

    changes = {
        "off": lambda: None,
        "shadow": lambda: with_flag(name, state="shadow"),
        "canary of 10": lambda: with_flag(name, state="canary", percentage=10),
        "canary of 50": lambda: with_flag(name, percentage=50),
        "chosen cohort": lambda: with_flag(name, cohort=frozenset(tenants[10:20])),
        "override": lambda: world.overrides.update({(name, OVERRIDDEN): "on"}),
        "override to off": lambda: world.overrides.update({(name, tenants[11]): "off"}),
        "override removed": lambda: world.overrides.pop((name, OVERRIDDEN)),
        "on": lambda: with_flag(name, state="on", cohort=frozenset()),
        "dependency": lambda: with_flag(name, dependencies=(needed, "outside")),
        "dependency in shadow": lambda: with_flag(needed, state="shadow"),
        "dependency in canary": lambda: with_flag(needed, state="canary", percentage=30),
        "dependency killed": lambda: with_flag(needed, state="kill"),
        "killed": lambda: with_flag(name, state="kill"),
        "revived": lambda: with_flag(name, state="off"),
        "removed": lambda: world.flags.pop(name),
        "made anew": lambda: world.flags.update({name: replace(first, state="on")}),
    }
    client = FlagClient("http://127.0.0.1:9", "fc_bench", cache_dir=False, start=False)
    wrong = []
    for revision, (kind, change) in enumerate(changes.items(), start=1):
        change()
        client._held.offer(world.ruleset(revision), whole=True)
        for _ in range(2):  # from the rules, then from memory
            for tenant in tenants:
                said, right = client.state(name, tenant).value, world.effective(name, tenant)
                if said != right:
                    wrong.append(f"{kind}: {tenant} is {said}, not {right}")
        held = client._held.ruleset
        if held is not None and len(held.memo) > MEMO_LIMIT:
            wrong.append(f"{kind}: {len(held.memo)} answers are remembered")
    client.close(0)
    return wrong
