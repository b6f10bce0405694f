"""The table of changes: what a change came to is told before anything is cut."""

from __future__ import annotations

import pytest

from flagconsole.console.rows import ChangeRow
from flagconsole.console.widgets.change_table import columns_of, verb_of, what_of
from flagconsole.console.widgets.virtual_table import fitted


def change(before: str, after: str, action: str = "set", tenant: str | None = None) -> ChangeRow:
    return ChangeRow(7, "pos.lite", tenant, action, "manual", "why", "ops1", 0.0, before, after)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (change("canary 10 %", "canary 50 %"), "canary 10 → 50 %"),
        (change("canary 50 tenants", "canary 10 %"), "canary 50 tenants → 10 %"),
        (change("shadow", "canary 10 %"), "shadow → canary 10 %"),
        (change("canary 100 %", "kill", "killed"), "canary 100 % → kill"),
        (change("–", "off", "override_set", "tenant-0133"), "– → off (tenant-0133)"),
    ],
)
def test_at_80_columns_a_change_tells_what_it_became(row: ChangeRow, told: str) -> None:
    shape = {column.id: column.width for column in fitted(columns_of(80, with_flag=True, around=False), 80)}
    assert {"when", "who", "did", "flag", "what"} <= shape.keys()
    assert what_of(row, shape["what"]) == told
    assert what_of(row).startswith(f"{row.before} → {row.after}"), "whole where there is room"


def test_the_table_says_what_happened_in_the_words_of_the_pane_below_it() -> None:
    words = [
        verb_of(change("on", "off", action)) for action in ("killed", "revived", "set", "rolled_back", "override_set")
    ]
    assert words == ["killed", "revived", "set", "rolled back", "override set"]
    assert max(map(len, words)) <= 12
