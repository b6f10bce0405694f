"""The benchmarks' tables are built, and what was timed were the right answers. No figure is judged here."""

from __future__ import annotations

import json

import pytest
from bench.rounds import Measured, interleaved
from bench.table import OURS, Table

from bench import correct, evaluate


def test_rounds_are_interleaved_and_every_other_one_runs_backwards() -> None:
    order: list[str] = []

    def measuring(name: str, figure: float) -> float:
        order.append(name)
        return figure

    found = interleaved({"a": lambda: measuring("a", 2.0), "b": lambda: measuring("b", 5.0)}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert (found["a"].median, found["b"].median, found["a"].rounds) == (2.0, 5.0, 3)


def test_a_table_says_who_is_better_by_how_much_and_what_is_not_reached() -> None:
    table = Table("t", "About.")
    table.add("read", OURS, Measured(2.0, 0.1, 3), "µs")
    table.add("read", "peer", Measured(10.0, 0.1, 3), "µs")
    table.add("rate", OURS, Measured(50.0, 0.1, 3), "/s", "high")
    table.add("rate", "peer", Measured(100.0, 0.1, 3), "/s", "high")
    assert (table.times("read", "peer"), table.times("rate", "peer")) == (5.0, 0.5)
    table.goal("read", table.found("read", OURS), 3, "µs")
    table.goal("rate against the peer", table.times("rate", "peer"), 0.7, "×", "high", why="it does more")
    table.goal("against who isn't there", table.times("read", "nobody"), 2, "×", "high")
    text = table.markdown()
    assert "| read ≤ 3 µs | 2 µs | reached |" in text
    assert "**not reached**: 1.4 × off; it does more" in text
    assert "- not judged, since it was not measured: against who isn't there" in text
    body = json.loads(table.json())
    assert [goal["reached"] for goal in body["goals"]] == [True, False]


def test_wrong_answers_fail_the_run_and_a_figure_that_is_missed_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("t", "About.")
    table.goal("speed", 5.0, 1.0, "µs")
    table.correct = True
    assert table.print(only_json=True) == 0
    table.correct = False
    assert table.print(only_json=False) == 1
    assert "**no**" in capsys.readouterr().out


def test_our_answers_are_the_specifications_after_each_kind_of_change() -> None:
    assert correct.wrong_answers(correct.TENANTS[:200]) == []


def test_a_benchmark_measures_us_without_any_peer() -> None:
    table = evaluate.measured(rounds=1, seconds=0.001, calls=200, scripts={OURS: "ours"})
    assert table.correct is True
    assert {row.work for row in table.rows} >= {"a call, 30 flags", "a call, 1,000 flags"}
    assert table.notes[0].startswith("not judged")
