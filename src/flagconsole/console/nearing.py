"""Whether a rollout that the judge can't decide on yet gets near a limit at which it would be rolled back."""

from __future__ import annotations

from typing import Final

from flagconsole.console.rollouts import RolloutRow
from flagconsole.console.verdicts import INCONCLUSIVE, CriterionRow

#: The share of a limit from which a value counts as near it.
NEAR: Final = 2 / 3


def nearest_limit(rollout: RolloutRow) -> CriterionRow | None:
    """The rollback criterion whose value is near its limit or beyond it while the judge still waits, the one that is beyond
    it first; None where there is none."""
    judged = rollout.judged
    if judged is None or judged.kind != INCONCLUSIVE:
        return None
    near = [row for row in judged.criteria if row.purpose == "rollback" and is_near(row)]
    return next((row for row in near if is_beyond(row)), next(iter(near), None))


def is_beyond(row: CriterionRow) -> bool:
    """Whether the value alone would break the limit; how sure that is, is the judge's matter."""
    if row.value is None:
        return False
    match row.comparison:
        case ">":
            return row.value > row.limit
        case ">=":
            return row.value >= row.limit
        case "<":
            return row.value < row.limit
        case "<=":
            return row.value <= row.limit
    return False


def is_near(row: CriterionRow) -> bool:
    """Whether the value is beyond the limit or has come most of the way to it. A share that mustn't fall is near once what is
    missing of it is; of other values that mustn't fall nobody knows how far they had to go."""
    if row.value is None or is_beyond(row):
        return row.value is not None
    if row.comparison.startswith(">"):
        return row.limit > 0 and row.value >= NEAR * row.limit
    return row.kind == "ratio" and 0 < row.limit < 1 and 1 - row.value >= NEAR * (1 - row.limit)
