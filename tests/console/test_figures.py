"""Numbers as people read them."""

from __future__ import annotations

from flagconsole.console.figures import control_text, delta_text, value_text
from flagconsole.console.verdicts import CriterionRow


def a_row(metric, kind, **fields):
    return CriterionRow("rollback", metric, kind, ">", 0.15, "pass", **fields)


def test_the_control_of_a_change_is_told_in_its_own_unit_or_not_at_all():
    regression = a_row("p95_regression", "change", value=0.05, control=612.58)
    assert (value_text(0.05, "change"), control_text(regression), delta_text(regression)) == ("+5.0", "613 ms", "–")
    assert control_text(a_row("ticket_increase", "change", value=0.1, control=0.5)) == "–"
    assert control_text(a_row("error_rate", "ratio", value=0.01, control=0.004)) == "0.40"
