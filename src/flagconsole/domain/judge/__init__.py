"""The judge: whether a canary is worse than what chance alone would have made of it. The only place that needs numpy."""

from flagconsole.domain.judge.assignment import Assignment
from flagconsole.domain.judge.baseline import Baseline
from flagconsole.domain.judge.judge import Judge
from flagconsole.domain.judge.observation import SHAPE_SHARES, Counts, GroupValue, Latency, MetricValue, Observation
from flagconsole.domain.judge.settings import JudgeSettings

__all__ = [
    "SHAPE_SHARES",
    "Assignment",
    "Baseline",
    "Counts",
    "GroupValue",
    "Judge",
    "JudgeSettings",
    "Latency",
    "MetricValue",
    "Observation",
]
