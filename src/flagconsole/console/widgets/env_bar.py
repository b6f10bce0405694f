"""The bar on top: where one is, whether the data is fresh, what one may do, who runs, what time it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flagconsole.console.ages import age_role, age_text, clock_text, moment_text
from flagconsole.console.arrival import CANT_CONFIRM, arrival, kill_of
from flagconsole.console.attention import ARRIVING_RANK, KILLED_RANK
from flagconsole.console.line import Line, joined, line, line_width, spread
from flagconsole.console.place import Place
from flagconsole.console.safe import Span, span
from flagconsole.console.state import Connection, ConsoleState, PastView, Phase
from flagconsole.console.widgets.painted import Painted

_SERIOUS = ("environment_other", "environment_staging", "environment_production")
_OF_COLOUR = {"grey": _SERIOUS[0], "amber": _SERIOUS[1], "red": _SERIOUS[2]}
#: What is on the bar where there is room for it, wholly or not at all, from what matters most; of what stands here twice first a
#: short form. Environment, freshness, and what needs attention aren't here: they are always there.
_WANTED = (
    "grants", "note", "instances", "waiting", "rights", "revision", "clock", "tenant", "rights", "server"
)  # fmt: skip
_HARMLESS = ("local", "demo", "dev", "development", "test", "sandbox")


def environment_ground(environment: str) -> str:
    """The bar's role: red for production and for every name that isn't known to be harmless, amber for staging."""
    name = environment.casefold()
    if not name or name in _HARMLESS:
        return "environment_other"
    return (
        "environment_staging" if name.startswith(("stag", "preprod", "pre-prod", "uat")) else "environment_production"
    )


def bar_ground(environment: str, place: Place) -> str:
    """The bar's role in a place: the most serious of what the server says, what the user calls it, and its colour."""
    said = [environment_ground(environment), _OF_COLOUR.get(place.colour, "environment_other")]
    if place.environment:
        said.append(environment_ground(place.environment))
    return max(said, key=_SERIOUS.index)


def acted_in(environment: str, place: Place) -> str:
    """The environment that actions are guarded and named by: what the user calls the place, where that is more serious than
    what the server says."""
    mine = place.environment
    if mine and _SERIOUS.index(environment_ground(mine)) > _SERIOUS.index(environment_ground(environment)):
        return mine
    return environment


def environment_word(environment: str) -> str:
    """The environment in capitals; any spelling of production is ``PRODUCTION``."""
    name = environment.casefold()
    return "PRODUCTION" if name in {"prod", "production"} else environment.upper()


def is_production(environment: str) -> bool:
    """Whether raising exposure here takes a typed word: in production, and wherever the name isn't known."""
    return environment_ground(environment) == "environment_production"


def env_bar(state: ConsoleState, width: int, now: float, monotonic: float, note: str = "") -> Line:
    """The bar's one row. ``now`` is our time of day, ``monotonic`` what ages are counted by."""
    connection = state.connection
    if state.past is not None:
        return _past_bar(state.past, connection, width, now + connection.skew)
    wide = width >= 110
    rights = _rights(state, wide)
    arriving = _arriving(state)
    clock = clock_text(now + connection.skew)
    grants, waiting = _oversight(state, wide, now + connection.skew)
    facts = {
        "environment": line(span(environment_word(connection.environment) or "UNKNOWN")),
        "server": line(
            span(connection.server if wide else connection.server.partition(":")[0], limit=48 if wide else 18)
        ),
        "link": _link(state, monotonic),
        "rights": rights,
        "revision": line(span(f"rev {state.revision}" if state.loaded else "rev –")),
        "arriving": arriving,
        # Where there is room for one count only, it is the kill's.
        "instances": _instances(state, wide) if wide or not arriving else (),
        "problems": _problems(state, wide),
        "grants": grants,
        "waiting": waiting,
        "tenant": line(span("tenant "), span(state.tenant, limit=30)) if wide and state.tenant is not None else (),
        "note": line(span(f"! {note}")) if note else (),
        "clock": line(span(clock + "Z" if width >= 90 else clock[:5] + "Z"), " "),
    }
    short = {"rights": rights[:1] and (rights[0]._replace(text=rights[0].text[:2]),)}
    shown = [name for name in facts if name not in _WANTED]
    told = dict(facts)
    for name in _WANTED:
        candidate = {**told, name: short.pop(name, facts[name])}
        if _bar_width(candidate, [*shown, name]) <= width:
            told, shown = candidate, [*shown, name]
    clock_end = told["clock"] if "clock" in shown else ()
    return spread(_bar(told, shown), clock_end, width)


def _bar(facts: Mapping[str, Line], shown: Iterable[str]) -> Line:
    """The bar up to its clock."""
    names = {*shown} - {"clock"}
    return line(" ", *joined([fact for name, fact in facts.items() if name in names]))


def _bar_width(facts: Mapping[str, Line], shown: Iterable[str]) -> int:
    end = line_width(facts["clock"]) if "clock" in (names := set(shown)) else 0
    return line_width(_bar(facts, names)) + bool(end) + end


def past_words(view: PastView, now: float) -> str:
    """Which moment is on screen, for the bar; ``now`` is the server's time."""
    if view.at is None:
        return f"before revision {view.revision + 1}"
    return f"as of {moment_text(view.at, now)}Z, {age_text(now - view.at)} ago"


def _past_bar(past: PastView, connection: Connection, width: int, now: float) -> Line:
    """The bar while an earlier moment is on screen: nothing on it can be taken for now. Where it is too narrow, what is left
    out is the present's clock and not the past's revision."""
    environment = environment_word(connection.environment) or "UNKNOWN"
    where = f"{environment}  rev {past.revision} of {past.newest}"
    words = past_words(past, now)
    short = words.removeprefix("as of ")
    clock = f"now {clock_text(now)[:5]}Z "
    for said, right in (
        (f"{words}  {where}", f"{clock}T returns "),
        (f"{words}  {where}", f"{clock}T "),
        (f"{short}  {where}", "T "),
        (f"{short}  {environment}  rev {past.revision}", "T "),
        (f"{short}  {environment}", "T "),
    ):
        left = line(" ", span("TIME TRAVEL", "strong"), span(f"  {said}"))
        if line_width(left) + 2 + len(right) <= width:
            break
    return spread(left, line(span(right)), width)


def _link(state: ConsoleState, monotonic: float) -> Line:
    connection = state.connection
    age = None if connection.fresh_at is None else monotonic - connection.fresh_at
    match connection.phase:
        case Phase.LIVE:
            return line(span("● LIVE "), _age(age))
        case Phase.OFFLINE:
            return line(span("○ OFFLINE "), _age(age, "age unknown" if state.loaded else "no data"))
        case Phase.CONNECTING:
            return line(span("○ CACHE "), _age(age, "age unknown")) if state.loaded else line(span("○ connecting"))


def _age(age: float | None, unknown: str = "no data") -> Span:
    """An age on the bar. The bar has a ground of its own, so what is worrying brings its own along."""
    if age is None:
        return span(unknown, "alarm")
    role = {"good": "plain", "warning": "banner", "danger": "alarm"}[age_role(age)]
    return span(age_text(age), role)


def _rights(state: ConsoleState, wide: bool) -> Line:
    connection = state.connection
    if not connection.role:
        return ()
    who = f" {connection.you}" if wide else ""
    if connection.phase is not Phase.LIVE:
        return line(span(f"RO{who}"))
    if connection.readonly_reason:
        return line(span(f"RO {connection.readonly_reason}{who}", limit=40))
    return line(span(f"RW {connection.role}{who}", limit=40))


def _arriving(state: ConsoleState) -> Line:
    """How many have confirmed the newest kill, for as long as somebody hasn't: on every screen, whatever flag it was. From the
    cache alone nobody knows that."""
    names = [name for name, problem in state.problems.items() if problem.rank == ARRIVING_RANK]
    known = (kill_of(row, state.history) for name in names if (row := state.flags.get(name)) is not None)
    kills = [kill.change_id for kill in known if kill is not None]
    if not kills:
        return ()
    if state.connection.recalled:
        return line(span("! KILL ?", "alarm"))
    found = arrival(state.expected, state.epoch, max(kills))
    was = "" if state.connection.phase is Phase.LIVE else "was "
    return line(span(f"! KILL {was}{len(found.confirmed)}/{found.able}", "alarm"))


def _instances(state: ConsoleState, wide: bool) -> Line:
    """How many of the running SDKs are heard from and have the revision that stands beside it."""
    if not state.loaded:
        return ()
    found = arrival(state.expected, state.epoch, state.revision)
    done = sum(1 for row in found.confirmed if row.presence == "live" and row.status != "error")
    if state.connection.phase is not Phase.LIVE:
        if state.connection.recalled and found.behind:
            # Confirmations come a moment after the change: those that the cache lacks may have been given all the same.
            return line(span("SDK ?", "stale"))
        # Who runs by now isn't known: the last count is told as such.
        return line(span(f"SDK was {done}/{found.able}", "stale"))
    silent = sum(1 for row in state.expected if row.presence != "live" or row.status == "error")
    text = f"SDK {done}/{found.able}"
    if wide and found.told:
        text += f" + {len(found.told)} {CANT_CONFIRM}"
    if silent:
        text += f" ! {silent} silent" if wide else " !"
    return line(span(text, "banner" if found.behind else "plain"))


def _problems(state: ConsoleState, wide: bool) -> Line:
    """How many flags need attention, and whether it is more than kills that somebody meant."""
    count = len(state.problems)
    if not count:
        return ()
    urgent = any(problem.rank < KILLED_RANK for problem in state.problems.values())
    text = (f"! {count} need{'s' if count == 1 else ''} attention" if wide else f"! {count}") if urgent else (
        f"■ {count} killed" if wide else f"■ {count}")  # fmt: skip
    return line(span(text, "alarm" if urgent and state.connection.phase is Phase.LIVE else "plain"))


def _oversight(state: ConsoleState, wide: bool, now: float) -> tuple[Line, Line]:
    """Whether what is done here is done with rights that were taken for a time, and how many requests wait for somebody."""
    own = state.oversight.own_grant(state.connection.you, now)
    grants: Line = ()
    if own is not None:
        until = f" until {clock_text(own.ends_at)[:5]}Z" if wide else ""
        grants = line(span(f"BREAK-GLASS{until}" if wide else "GLASS", "alarm"))
    count = len(state.oversight.waiting(now))
    if not count:
        return grants, ()
    words = f"{count} wait{'s' if count == 1 else ''}"
    return grants, line(span(f"{words} for approval" if wide else words, "banner"))


class EnvBar(Painted):
    """The environment bar."""

    def draw(self, width: int, height: int) -> list[Line]:
        """One row."""
        clock, console = self.console.clock, self.console
        return [env_bar(console.state, width, clock.time(), clock.monotonic(), console.trouble)]

    def ground_of(self, row: int) -> str:
        """The environment's colour over the full width."""
        if self.console.state.past is not None:
            return "past"
        return bar_ground(self.console.state.connection.environment, self.console.place)
