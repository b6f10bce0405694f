"""What differs between old and new, and what may be told of it."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from flagconsole.sdk.shadow import Comparison
from flagconsole.sdk.shadow.comparison import MAX_DIFFERENCES, Failure

plain = Comparison()


def kinds(old, new, comparison=plain):
    return [(item.field, item.kind.value) for item in comparison.differences(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (1, 1.0, []),
        (1, 2, [("result", "value")]),
        (1, "1", [("result", "type")]),
        (True, 1, [("result", "type")]),
        (None, 0, [("result", "type")]),
        (float("nan"), float("nan"), []),
        (Decimal("1.0"), 1.0, [("result", "type")]),
        ({"a": 1}, {"a": 1, "b": 2}, [("b", "extra")]),
        ({"a": 1, "b": 2}, {"a": 1}, [("b", "missing")]),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, [("a.b[]", "value")]),
        ([1, 2], [1, 2, 3], [("result", "length")]),
        ([{"x": 1}, {"x": 2}], [{"x": 5}, {"x": 6}], [("[].x", "value")]),
        ((1, 2), [1, 2], []),
        ({1, 2}, {2, 3}, [("result", "value")]),
        ({"ada@example.com": 1}, {"ada@example.com": 2}, [("*", "value")]),
        (Failure("KeyError"), Failure("KeyError"), []),
        (Failure("KeyError"), 5, [("result", "error")]),
        (Failure("KeyError"), Failure("ValueError"), [("result", "error")]),
    ],
)
def test_differences_are_classified(old, new, expected):
    assert kinds(old, new) == expected


def test_records_are_compared_by_their_fields():
    @dataclass
    class Invoice:
        id: int
        total: float

    class Model(BaseModel):
        total: float

    Point = namedtuple("Point", "x y")
    assert kinds(Invoice(1, 5.0), Invoice(2, 5.5), Comparison(ignore=["id"])) == [("total", "value")]
    assert kinds(Model(total=1), Model(total=2)) == [("total", "value")]
    assert kinds(Point(1, 2), Point(1, 3)) == [("y", "value")]


def test_fields_can_be_left_out_and_numbers_be_near():
    comparison = Comparison(ignore=["id", "lines[].id"], tolerance=0.01)
    old = {"id": 1, "total": 100.0, "lines": [{"id": 1, "net": 50}]}
    new = {"id": 2, "total": 100.5, "lines": [{"id": 9, "net": 52}]}
    assert kinds(old, new, comparison) == [("lines[].net", "value")]


def test_samples_say_nothing_unless_the_service_writes_them():
    [difference] = plain.differences({"name": "Ada Lovelace"}, {"name": "Grace"})
    assert (difference.old, difference.new) == ("text of 12", "text of 5")
    shown = Comparison(redact=lambda field, value: f"{field}={value[:1]}\x1b[2J…")
    [difference] = shown.differences({"name": "Ada"}, {"name": "Grace"})
    assert (difference.old, difference.new) == ("name=A [2J…", "name=G [2J…")


def test_samples_are_bounded_and_a_redaction_that_fails_shows_nothing():
    [long] = Comparison(redact=lambda field, value: value).differences("a" * 10_000, "b")
    assert len(long.old) == 200
    [none] = Comparison(redact=lambda field, value: value["x"]).differences("a", "b")
    assert (none.old, none.new) == (None, None)


def test_one_sample_of_each_kind_and_no_more_than_so_many():
    many = plain.differences([{"x": n} for n in range(500)], [{"x": -n - 1} for n in range(500)])
    assert [(item.field, item.kind) for item in many] == [("[].x", "value")]
    wide = plain.differences({f"f{n}": n for n in range(500)}, {})
    assert len(wide) == MAX_DIFFERENCES


def test_what_is_endless_or_explodes_ends():
    class Bomb:
        def __eq__(self, other):
            raise RuntimeError

        __hash__ = None

    endless: list = []
    endless.append(endless)
    other: list = []
    other.append(other)
    assert kinds(endless, other) == []
    assert kinds({"a": Bomb()}, {"a": Bomb()}) == [("result", "uncomparable")]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, json_values)
def test_nothing_differs_from_itself_and_comparing_never_raises(one, other):
    assert plain.differences(one, one) == ()
    forth, back = plain.differences(one, other), plain.differences(other, one)
    assert {item.field for item in forth} == {item.field for item in back}
