"""What does asking for a flag cost? ``python -m bench evaluate [--quick] [--json]``: a boolean flag in a canary of 10 % with one
override, a thousand tenants in turn, among 30 and 1,000 flags, one thread; CPU seconds."""

from __future__ import annotations

from contextlib import ExitStack

from bench.correct import OVERRIDDEN, TENANTS, enabled_by_specification, wrong_answers
from bench.peer import PEERS
from bench.rounds import interleaved
from bench.table import OURS, Table
from bench.worker import Contender, WorkerFailed

FLAG = "team.flag_00015"
SIZES = (30, 1000)
BOUND = "bound: a look into a dict"
PROVIDER = "flagconsole behind OpenFeature"
SCRIPTS = {OURS: "ours", PROVIDER: "ours_provider", BOUND: "dictionary"} | {
    PEERS[name].about: name
    for name in (
        "statsig",
        "growthbook",
        "flipt",
        "launchdarkly",
        "unleash",
        "flagd",
        "flagsmith",
        "posthog",
        "openfeature",
    )
}


def opened(stack: ExitStack, table: Table, scripts: dict[str, str] = SCRIPTS) -> dict[str, Contender]:
    """A worker for each contender that is there; of the others a note says why not."""
    workers = {}
    for who, script in scripts.items():
        try:
            worker = stack.enter_context(Contender(script))
        except WorkerFailed as error:
            table.notes.append(f"left out: {error}")
            continue
        workers[who] = worker
        table.versions[who] = worker.version
    return workers


def unusable(worker: Contender, flags: int) -> str:
    """Why a contender's answers are no use for comparing; empty where they are: about a tenth gets the flag, and the overridden."""
    if worker.name in ("dictionary", "openfeature"):
        return ""
    try:
        enabled = worker.ask("answers", flags=flags, flag=FLAG, tenants=TENANTS)["enabled"]
    except WorkerFailed as error:
        return str(error)
    if not 50 <= len(enabled) <= 150 or OVERRIDDEN not in enabled:
        return f"{worker.name} enables {len(enabled)} of {len(TENANTS)} tenants, which is not what was asked for"
    return ""


def measured(*, rounds: int, seconds: float, calls: int, scripts: dict[str, str] = SCRIPTS) -> Table:
    """The table: ``rounds`` of ``seconds`` for each contender and size, and ``calls`` timed one by one."""
    table = Table(
        "evaluate", f"One call that asks for a flag, {len(TENANTS):,} tenants in turn. CPU time of the asking process."
    )
    with ExitStack() as stack:
        workers = opened(stack, table, scripts)
        for who, worker in list(workers.items()):
            if problem := unusable(worker, SIZES[0]):
                table.notes.append(f"left out: {problem}")
                del workers[who]
        for flags in SIZES:
            contenders = {
                who: lambda worker=worker, flags=flags: (
                    worker.ask("evaluate", flags=flags, flag=FLAG, tenants=TENANTS, seconds=seconds)["seconds"] * 1e6
                )
                for who, worker in workers.items()
            }
            for who, found in interleaved(contenders, rounds).items():
                table.add(f"a call, {flags:,} flags", who, found, "µs")
        slow = {
            who: lambda worker=worker: (
                worker.ask("latency", flags=30, flag=FLAG, tenants=TENANTS, calls=calls)["p99"] * 1e6
            )
            for who, worker in workers.items()
            if who == OURS
        }
        for who, found in interleaved(slow, rounds).items():
            table.add("99th percentile of single calls, 30 flags", who, found, "µs")
        ours = workers[OURS].ask("answers", flags=30, flag=FLAG, tenants=TENANTS)["enabled"]
    wrong = wrong_answers()
    table.correct = not wrong and ours == enabled_by_specification(FLAG, 10)
    table.notes += [f"wrong: {line}" for line in wrong[:5]]
    _judge(table)
    return table


def _judge(table: Table) -> None:
    work = f"a call, {SIZES[0]:,} flags"
    peers = [row for row in table.rows if row.work == work and row.who not in (OURS, PROVIDER, BOUND)]
    # What answers the same for everybody is no peer at a canary.
    asked = [row for row in peers if row.who != PEERS["openfeature"].about]
    fastest = min(asked, key=lambda row: row.measured.median, default=None)
    table.goal("a call", table.found(work, OURS), 0.35, "µs")
    table.goal("99th percentile", table.found("99th percentile of single calls, 30 flags", OURS), 3, "µs")
    many = f"a call, {SIZES[1]:,} flags"
    few, lots = table.found(work, OURS), table.found(many, OURS)
    table.goal("1,000 flags against 30", None if not few or not lots else lots / few, 1.15, "×")
    name = "the fastest peer" if fastest is None else f"the fastest peer ({fastest.who})"
    table.goal(f"faster than {name}", None if fastest is None else table.times(work, fastest.who), 7, "×", "high")
    table.goal("faster than Unleash's client", table.times(work, PEERS["unleash"].about), 60, "×", "high")
    table.goal(
        "behind OpenFeature, against its own provider in memory",
        table.times(work, PEERS["openfeature"].about, PROVIDER),
        0.9,
        "×",
        "high",
        why="each answer is the tenant's own and carries its reason, revision and version as metadata; the one in memory is one for all",
    )


def table(*, quick: bool) -> Table:
    """The table of a quick or a whole run."""
    return measured(rounds=3, seconds=0.1, calls=5_000) if quick else measured(rounds=9, seconds=0.5, calls=100_000)
