"""What the demo's services do in shadow is done: both ways price the same orders, and where they differ is real."""

from __future__ import annotations

import random

import pytest

from flagconsole.demo.new_way import SHARE, NewWay, some_order
from flagconsole.domain.execution_type import EffectKind
from flagconsole.sdk import FlagClient

from ..fake_server import KEY, FakeServer, serving


@pytest.fixture
def server():
    yield from serving()


@pytest.fixture
def client(server: FakeServer):
    server.put("pos.lite", "shadow")
    with FlagClient(server.url, KEY, "pos-1", cache_dir=False) as made:
        assert made.wait_ready(10)
        yield made


def counted(client):
    cells, findings = {}, {}
    for table in client._shadow.take(0, everything=True):
        cells |= table.cells
        findings |= {key[1:]: entry for key, entry in table.findings.items()}
    return cells, findings


def test_old_and_new_differ_where_rounding_does(client, monkeypatch):
    monkeypatch.setattr("flagconsole.sdk.shadow.budget.Budget.admit", lambda self: None)
    new_way, chance = NewWay(client, ["pos.lite"]), random.Random(7)
    for number in range(300):
        new_way.beside_the_old("pos.lite", some_order(chance, f"tenant-{number % 5}"), fails=number == 0)
    new_way.close()
    cells, findings = counted(client)
    assert sum(cell.executions for cell in cells.values()) == 300
    effects = [sum(cell.effects.get(kind, 0) for cell in cells.values()) for kind in EffectKind]
    assert effects == [299, 0, 299, 299]
    assert sum(cell.errors for cell in cells.values()) == 1
    assert findings["error", "NewCodeFailed", "handler"][0] == 1
    times, old, new = findings["mismatch", "total", "value"]
    assert 0 < times < 30
    assert abs(float(old) - float(new)) < 0.1
    assert findings["passed", "order_has_lines", ""][0] == 300


def test_a_part_of_the_requests_is_enough(client):
    new_way, chance = NewWay(client, ["pos.lite"]), random.Random(7)
    for _ in range(40):
        new_way.beside_the_old("pos.lite", some_order(chance, "tenant-1"), fails=False)
    new_way.close()
    [cell] = counted(client)[0].values()
    assert (cell.executions, cell.skipped) == (40 * SHARE, 40 * (1 - SHARE))
