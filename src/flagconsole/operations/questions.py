"""How often a client of another protocol asked for a flag, and how often it was told that it is on.

Such clients say neither for which tenants nor what became of it. So their numbers are no operations, and no success: they are
kept as a metric of their own, in the group of what is compared with nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from flagconsole.domain.evaluation import Ruleset
from flagconsole.domain.group import Group
from flagconsole.domain.telemetry import BUCKET_SECONDS, EARLY_SECONDS, LATE_SECONDS, CustomKind, Taken
from flagconsole.operations.telemetry import fate_of
from flagconsole.store.metric_store import MetricWrite, ValueBucket

#: The share of questions that were answered with yes.
METRIC: Final = "evaluated_enabled"


class QuestionReport(NamedTuple):
    """One client's count from ``start`` to ``stop`` (seconds since the epoch): yes and no for each flag."""

    batch_id: str
    start: float
    stop: float
    answers: Mapping[str, tuple[int, int]]


def questions_write(report: QuestionReport, ruleset: Ruleset, now: float) -> tuple[MetricWrite, Taken]:
    """What is kept of a report, and what to answer. It counts for the bucket in which it ended."""
    counts: Counter[str] = Counter()
    values: list[ValueBucket] = []
    start = int(report.stop) // BUCKET_SECONDS * BUCKET_SECONDS
    for flag_name, (yes, no) in report.answers.items():
        fate = fate_of(report.stop, report.start, now, LATE_SECONDS) if flag_name in ruleset.rules else "unknown"
        counts[fate] += 1
        if fate == "taken" and yes + no:
            values.append(
                ValueBucket(
                    flag_name, Group.OTHER, METRIC, CustomKind.RATIO, start, BUCKET_SECONDS, float(yes), yes + no
                )
            )
    write = MetricWrite(
        batch_id=f"questions {report.batch_id}",
        expires_at=int(now) + LATE_SECONDS + EARLY_SECONDS + BUCKET_SECONDS,
        values=values,
    )
    return write, Taken(batch_id=report.batch_id, **counts)
