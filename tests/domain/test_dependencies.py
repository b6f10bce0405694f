"""Cycles are refused when they are written, and named."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagconsole.domain.dependencies import refuse_cycle
from flagconsole.domain.errors import DependencyCycle


def test_a_flag_that_depends_on_itself_is_refused():
    with pytest.raises(DependencyCycle, match=r"a\.a → a\.a"):
        refuse_cycle("a.a", ["a.a"], {})


def test_a_long_cycle_is_named_in_the_order_of_its_dependencies():
    with pytest.raises(DependencyCycle) as caught:
        refuse_cycle("a.a", ["b.b", "x.x"], {"b.b": ["c.c"], "c.c": ["d.d", "x.x"], "d.d": ["a.a"]})
    assert caught.value.details["cycle"] == "a.a → b.b → c.c → d.d → a.a"
    assert caught.value.exit_code == 4


def test_diamonds_and_names_of_no_flag_are_fine():
    refuse_cycle("a.a", ["b.b", "c.c", "out.side"], {"b.b": ["d.d"], "c.c": ["d.d"]})


def test_a_changed_flag_is_judged_by_its_new_dependencies():
    refuse_cycle("a.a", [], {"a.a": ["b.b"], "b.b": ["a.a"]})


def test_a_long_chain_does_not_recurse():
    graph = {f"f.{number}": [f"f.{number + 1}"] for number in range(50_000)}
    refuse_cycle("a.a", ["f.0"], graph)


NAMES = [f"f.{number}" for number in range(6)]


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3)))
def test_written_one_by_one_the_graph_never_has_a_cycle(wanted: dict[str, list[str]]):
    graph: dict[str, list[str]] = {}
    for name, dependencies in wanted.items():
        try:
            refuse_cycle(name, dependencies, graph)
        except DependencyCycle as cycle:
            steps = cycle.details["cycle"].split(" → ")
            edges = {**graph, name: dependencies}
            assert steps[0] == steps[-1] == name
            assert all(after in edges.get(before, ()) for before, after in pairwise(steps))
        else:
            graph[name] = dependencies
    remaining = {name: set(dependencies) & set(graph) for name, dependencies in graph.items()}
    while leaves := [name for name, dependencies in remaining.items() if not dependencies]:
        remaining = {n: d - set(leaves) for n, d in remaining.items() if n not in leaves}
    assert remaining == {}
