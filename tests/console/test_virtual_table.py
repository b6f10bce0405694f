"""The virtual table: what fits, where the cursor stays."""

from __future__ import annotations

from collections.abc import Sequence

from flagconsole.console.line import Line
from flagconsole.console.safe import span
from flagconsole.console.widgets.virtual_table import Column, VirtualTable, fitted, row_line

WANTED = [
    Column("name", "NAME", 10),
    Column("state", "STATE", 5, spare=1),
    Column("who", "WHO", 5, spare=3),
    Column("age", "AGE", 3, spare=2),
]


def ids(width: int) -> list[str]:
    return [column.id for column in fitted(WANTED, width)]


def test_what_matters_least_goes_first_and_short_columns_fill_what_is_left() -> None:
    assert ids(40) == ["name", "state", "who", "age"]
    assert ids(23) == ["name", "state", "age"]
    assert ids(18) == ["name", "state"]
    assert ids(17) == ["name", "age"]
    assert ids(12) == ["name"]


def test_growing_columns_share_what_is_left_over() -> None:
    shape = fitted([Column("a", "A", 5, grows=True), Column("b", "B", 5, grows=True)], 30)
    assert 1 + sum(column.width + 1 for column in shape) == 30


def test_a_column_that_must_be_there_is_cut_where_it_does_not_fit() -> None:
    assert fitted([Column("a", "A", 30)], 20)[0].width == 18


class Table(VirtualTable[int]):
    """Numbers; counts how many rows were made."""

    made = 0

    def shape(self, width: int) -> Sequence[Column]:
        return [Column("n", "N", 6)]

    def row(self, key: int, shape: Sequence[Column], *, cursor: bool) -> Line:
        self.made += 1
        return row_line([span(key)], cursor=cursor)

    def repaint(self) -> None:
        """Nobody looks."""


def test_only_the_rows_in_view_are_made() -> None:
    table = Table()
    table.take(range(100_000))
    table.move(99_999)
    rows = table.draw(20, 11)
    assert table.made == 10
    assert rows[-1][0].text == "▶"
    assert table.ground_of(10) == "cursor"


def test_the_cursor_stays_on_its_row_while_others_come_and_go() -> None:
    table = Table()
    table.take([1, 2, 3, 4])
    table.move(2)
    table.take([9, 3, 8])
    assert (table.selected, table.position) == (3, 1)
    table.take([9, 8, 7])
    assert (table.selected, table.position) == (8, 1), "its neighbour, where it is gone"
    table.take([])
    assert table.selected is None
    table.take([5])
    assert table.selected == 5
