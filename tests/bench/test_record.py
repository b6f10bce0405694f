"""What is measured is kept with when and of what, one can be measured anew alone, and one that fails doesn't take the others with it."""

from __future__ import annotations

import json

import pytest
from bench.page import page_text
from bench.registry import BENCHMARKS
from bench.rounds import Measured
from bench.stamp import busyness
from bench.table import OURS, Table

from bench import all as every
from bench import record


def found(name: str, figure: float) -> dict[str, object]:
    table = Table(name, "About.", correct=True)
    table.add("work", OURS, Measured(figure, 0.1, 3), "ms")
    table.add("work", "peer", Measured(10.0, 0.1, 3), "ms")
    table.goal("work", figure, 5, "ms", why="it does more")
    return {"date": "2026-11-23 10:00 UTC", "commit": "c0ffee", "quick": False, "seconds": 7, **table.as_dict()}


def test_a_kept_table_is_the_one_that_was_made() -> None:
    made = found("load", 7.0)
    assert Table.from_dict(json.loads(json.dumps(made))).as_dict().items() <= made.items()


def test_the_page_tells_of_each_when_it_was_measured_and_of_all_what_is_missed() -> None:
    later = {**found("load", 7.0), "date": "2026-11-24 09:00 UTC", "commit": "beef", "how busy": busyness(99.0, 99.0)}
    text = page_text({"load": later, "evaluate": found("evaluate", 2.0)})
    assert "| [evaluate](#evaluate) | 1 of 1 reached | 2026-11-23 10:00 UTC | c0ffee |" in text
    assert "| [load](#load) | 0 of 1 reached | 2026-11-24 09:00 UTC | beef |" in text
    assert "| load: work | 5 ms | 7 ms | it does more; measured on a machine that was busy with other work |" in text
    assert text.index("## evaluate") < text.index("## load")


def test_one_that_fails_is_recorded_as_failed_and_the_others_go_on(tmp_path, monkeypatch, capsys) -> None:
    pages: list[str] = []
    monkeypatch.setattr(record, "write_page", lambda results: pages.append(page_text(results)))
    for module in (every, record):
        monkeypatch.setattr(module, "kept", lambda folder=tmp_path, kept=record.kept: kept(folder))
    monkeypatch.setattr(every, "keep_failure", lambda name, why: record.keep_failure(name, why, tmp_path))
    record.keep("evaluate", found("evaluate", 2.0), tmp_path)

    def measure(name: str) -> str | None:
        if name == "evaluate":
            return "the disk is full"
        record.keep(name, found(name, 7.0), tmp_path)
        return None

    assert every.run(["evaluate", "load"], measure) == ["evaluate"]
    said = capsys.readouterr().err
    assert "[1/2] evaluate: FAILED: the disk is full" in said
    assert "[2/2] load: 0 of 1 reached" in said
    assert "before that 1 of 1 reached" in pages[-1]
    assert "the disk is full" in pages[-1]
    assert json.loads((tmp_path / "load.json").read_text())["rows"][0]["median"] == 7.0
    # Measured again, it is no failure any more.
    record.keep("evaluate", found("evaluate", 3.0), tmp_path)
    assert "disk" not in pages[-1]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_each_registered_benchmark_makes_a_table(name: str) -> None:
    assert callable(__import__(f"bench.{name}", fromlist=["table"]).table)


def test_a_name_that_is_no_benchmark_is_refused_with_those_there_are(capsys) -> None:
    with pytest.raises(SystemExit):
        every.main(["--only", "speed"])
    assert "there is no benchmark 'speed'; there are evaluate" in capsys.readouterr().err
