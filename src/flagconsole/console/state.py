"""The view model: everything the screens show, immutable, without Textual.

Each function takes a ``ConsoleState`` and gives a new one. Screens never change it; they read it and send intents. What
the user looks at (selection, filter, order, tenant) is part of it, so a screen is a pure function of it and the time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from flagconsole.console.oversight import Oversight
from flagconsole.console.profiles import TenantRow, tenant_row
from flagconsole.console.rows import (
    ChangeRow,
    FlagRow,
    InstanceRow,
    Json,
    OverrideRow,
    change_row,
    flag_row,
    instance_row,
    override_row,
    seconds_of,
)
from flagconsole.domain import payload
from flagconsole.domain.evaluation import OverrideRule, Ruleset

if TYPE_CHECKING:
    from flagconsole.console.actions import Action
    from flagconsole.console.attention import Problem
    from flagconsole.console.incidents import IncidentRow, IncidentStory
    from flagconsole.console.metric_windows import MetricWindow
    from flagconsole.console.playbooks import PlaybookRow
    from flagconsole.console.rollouts import RolloutRow, RolloutStory
    from flagconsole.console.verdicts import VerdictRow

#: Changes kept in memory, newest first; older ones are fetched when the history is opened.
HISTORY_LIMIT: Final = 500
#: Finished actions kept in the ledger.
LEDGER_LIMIT: Final = 20

EMPTY_RULESET: Final = Ruleset("", -1, {}, {})


class Phase(StrEnum):
    """How the connection stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    OFFLINE = "offline"


class Order(StrEnum):
    """How the flag table is sorted."""

    URGENCY = "urgency"
    CHANGED = "changed"
    NAME = "name"
    STATE = "state"


class Connection(NamedTuple):
    """The way to the server. ``fresh_at``, ``retry_at`` and ``lost_at`` are monotonic seconds; ``skew`` is server time minus
    ours. ``recalled`` says that what is shown is the cache's: the server hasn't been heard yet."""

    phase: Phase = Phase.CONNECTING
    server: str = ""
    environment: str = ""
    you: str = ""
    role: str = ""
    may_operate: bool = False
    may_administer: bool = False
    readonly: bool = False
    server_version: str = ""
    fresh_at: float | None = None
    problem: str = ""
    retry_at: float | None = None
    lost_at: float | None = None
    recalled: bool = False
    skew: float = 0.0

    @property
    def readonly_reason(self) -> str:
        """Why nothing can be changed from here; empty where something can."""
        if self.readonly:
            return "--readonly"
        if self.role and not self.may_operate:
            return f"role {self.role}"
        return ""

    @property
    def may_arm(self) -> bool:
        """Whether a kill can be decided on now, to be asked about once the connection is back."""
        return self.phase is Phase.OFFLINE and not self.readonly and self.role in {"", "operator", "admin"}

    @property
    def withheld_reason(self) -> str:
        """Why an action that the key map knows can't be taken at the moment."""
        if self.readonly:
            return "this console is read-only (--readonly)"
        if self.phase is Phase.OFFLINE:
            return "the connection is lost, and nothing is queued"
        if self.phase is Phase.CONNECTING:
            return "there is no connection yet, and nothing is queued"
        return f"the role {self.role} of your key may not do it"


class PastView(NamedTuple):
    """An earlier moment on screen: its revision, the server's time of it (None: not known), and how far one can go."""

    revision: int
    at: float | None
    newest: int
    oldest: int


class Reach(NamedTuple):
    """How many of the known tenants a flag is enabled for, and how many run it in shadow."""

    enabled: int
    shadow: int
    tenants: int


@dataclass(frozen=True, slots=True, eq=False, repr=False)  # nobody compares or prints two thousand rows
class ConsoleState:
    """Everything that the screens show."""

    connection: Connection = field(default_factory=Connection)
    flags: Mapping[str, FlagRow] = field(default_factory=dict)
    ruleset: Ruleset = EMPTY_RULESET
    overrides: Mapping[str, Mapping[str, OverrideRow]] = field(default_factory=dict)
    instances: Mapping[str, InstanceRow] = field(default_factory=dict)
    tenants: tuple[str, ...] = ()
    tenant_names: Mapping[str, str] = field(default_factory=dict)
    profiles: Mapping[str, TenantRow] = field(default_factory=dict)
    history: tuple[ChangeRow, ...] = ()
    reach: Mapping[str, Reach] = field(default_factory=dict)
    problems: Mapping[str, Problem] = field(default_factory=dict)
    ledger: tuple[Action, ...] = ()
    #: By flag: its newest rollout, the judge's looks (newest first), steps and checklist, and what was measured.
    rollouts: Mapping[str, RolloutRow] = field(default_factory=dict)
    verdicts: Mapping[str, tuple[VerdictRow, ...]] = field(default_factory=dict)
    stories: Mapping[str, RolloutStory] = field(default_factory=dict)
    metrics: Mapping[str, MetricWindow] = field(default_factory=dict)
    #: By id.
    incidents: Mapping[str, IncidentRow] = field(default_factory=dict)
    incident_stories: Mapping[str, IncidentStory] = field(default_factory=dict)
    playbooks: Mapping[str, PlaybookRow] = field(default_factory=dict)
    oversight: Oversight = field(default_factory=Oversight)
    selected: str | None = None
    tenant: str | None = None
    filter_text: str = ""
    order: Order = Order.URGENCY
    loaded: bool = False
    #: The revision that the user has looked at; None where that isn't known.
    seen: int | None = None
    #: Whether rollouts and incidents are as new as the flags: fetched since the connection came about, or kept with them.
    caught_up: bool = False
    #: Set while an earlier moment is shown.
    past: PastView | None = None
    #: The contexts that can be switched to, each with a note.
    contexts: tuple[tuple[str, str], ...] = ()
    #: Of a cache: the server's time (seconds since the epoch) at which each part was known to be true.
    fetched_at: Mapping[str, float] = field(default_factory=dict)

    @property
    def epoch(self) -> str:
        """The store's lineage that the data is of; empty before the first listing."""
        return self.ruleset.epoch

    @property
    def revision(self) -> int:
        """The store's revision that the data is of; -1 before the first listing."""
        return self.ruleset.revision

    @property
    def rollouts_missing(self) -> str:
        """Why it isn't known which rollouts and incidents there are, in at most ten cells; empty where it is. What the flags
        are comes first, and until the rest has come too nothing may look as if there were none."""
        if self.past is not None:
            return "not kept"
        if self.caught_up:
            return ""
        return "not known" if self.connection.phase is Phase.OFFLINE else "asking …"

    @property
    def expected(self) -> list[InstanceRow]:
        """The instances that run, or fell silent only a while ago: those that a change has to reach."""
        return [instance for instance in self.instances.values() if instance.expected]

    @property
    def selected_flag(self) -> FlagRow | None:
        """The flag under the cursor."""
        return None if self.selected is None else self.flags.get(self.selected)


class Applied(NamedTuple):
    """A new state and the names of the flags that look different in it."""

    state: ConsoleState
    changed: frozenset[str]


def with_listing(state: ConsoleState, listing: Json, now: float) -> Applied:
    """The state after ``GET /api/flags``, fetched at ``now`` (our clock). Replaces everything about flags."""
    rows = {row.name: row for row in map(flag_row, listing["flags"])}
    epoch, revision = payload.position(listing)
    tenants: dict[str, dict[str, OverrideRule]] = {}
    overrides: dict[str, dict[str, OverrideRow]] = {}
    for item in listing["overrides"]:
        flag_name, tenant_id, rule = payload.override_of(item)
        tenants.setdefault(flag_name, {})[tenant_id] = rule
        overrides.setdefault(flag_name, {})[tenant_id] = override_row(item)
    ruleset = Ruleset(epoch, revision, {item["flag_name"]: payload.rule_of(item) for item in listing["flags"]}, tenants)
    changed = {name for name in rows.keys() | state.flags.keys() if rows.get(name) != state.flags.get(name)}
    server_now = seconds_of(listing.get("now"))
    connection = state.connection._replace(skew=state.connection.skew if server_now is None else server_now - now)
    # A database restored from a backup has another past: what was remembered of the old one must not be mixed in.
    other_past = state.epoch not in {"", epoch}
    result = replace(
        state,
        flags=rows,
        ruleset=ruleset,
        overrides=overrides,
        connection=connection,
        history=() if other_past else state.history,
        seen=None if other_past else state.seen,
        loaded=True,
    )
    if other_past:
        result = replace(result, rollouts={}, verdicts={}, stories={}, metrics={}, incidents={}, incident_stories={})
    return Applied(result, frozenset(changed))


def apply_receipt(state: ConsoleState, text: str) -> ConsoleState:
    """The state after a ``receipt`` event. One that can't be read, or is older than what is known, changes nothing."""
    try:
        row = instance_row(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return state
    known = state.instances.get(row.instance_id)
    if known is not None and known.epoch == row.epoch and known.revision > row.revision:
        row = row._replace(revision=known.revision, received_at=known.received_at)
    return replace(state, instances={**state.instances, row.instance_id: row})


def with_instances(state: ConsoleState, instances: Iterable[Json]) -> ConsoleState:
    """The state after ``GET /api/instances``. A confirmation that came by the stream meanwhile is kept."""
    rows: dict[str, InstanceRow] = {}
    for row in map(instance_row, instances):
        known = state.instances.get(row.instance_id)
        if known is not None and known.epoch == row.epoch and known.revision > row.revision:
            row = row._replace(revision=known.revision, received_at=known.received_at)
        rows[row.instance_id] = row
    return replace(state, instances=rows)


def with_tenants(state: ConsoleState, tenants: Iterable[Json]) -> ConsoleState:
    """The state after ``GET /api/tenants``. Only active tenants count; the others are known by their profiles. Where the same
    ones count as before, they are the same object: nothing has to be counted anew."""
    profiles = {row.tenant_id: row for row in map(tenant_row, tenants)}
    names = {row.tenant_id: row.name for row in profiles.values() if row.active}
    ids = tuple(sorted(names))
    kept = state.tenants if ids == state.tenants else ids
    return replace(state, tenants=kept, tenant_names=names, profiles=profiles)


def with_history(state: ConsoleState, changes: Sequence[Json]) -> ConsoleState:
    """The state after ``GET /api/history``: joined with what the stream brought, newest first, each change once."""
    known = {row.change_id: row for row in state.history}
    known.update((row.change_id, row) for row in map(change_row, changes))
    newest = sorted(known.values(), key=lambda row: row.change_id, reverse=True)
    return replace(state, history=tuple(newest[:HISTORY_LIMIT]))


def with_action(state: ConsoleState, action: Action) -> ConsoleState:
    """The state with an action begun or moved on. The ledger is in the order in which the actions began."""
    ledger = list(state.ledger)
    for index, known in enumerate(ledger):
        if known.key == action.key:
            ledger[index] = action
            break
    else:
        ledger.append(action)
    return replace(state, ledger=tuple(ledger[-LEDGER_LIMIT:]))


def heard(state: ConsoleState, at: float, head: int | None = None) -> ConsoleState:
    """The state after a sign of life at ``at`` (monotonic). ``head`` is the server's revision: data behind it isn't fresh."""
    connection = state.connection
    fresh = connection.fresh_at if head is not None and head > state.revision else at
    live = connection._replace(
        phase=Phase.LIVE, fresh_at=fresh, problem="", retry_at=None, lost_at=None, recalled=False
    )
    # Rollouts and incidents of before the connection was there aren't those of now: the watcher asks for them next.
    return replace(state, connection=live, caught_up=state.caught_up and connection.phase is Phase.LIVE)


def offline(state: ConsoleState, problem: str, retry_at: float | None, at: float | None = None) -> ConsoleState:
    """The state after the connection was lost at ``at``; what is known stays, with its age."""
    lost_at = state.connection.lost_at if state.connection.lost_at is not None else at
    connection = state.connection._replace(phase=Phase.OFFLINE, problem=problem, retry_at=retry_at, lost_at=lost_at)
    return replace(state, connection=connection)
