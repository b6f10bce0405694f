"""The experiment can be done in pieces: what is done isn't done again, and its file makes the tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bench.judge_cells import JUDGE, PLAN, Run
from bench.judge_experiment import BEGIN, END, jobs_of, main, report
from bench.judge_file import Experiment

SCENARIOS = PLAN["half"]
RUNS = [Run("half", name, JUDGE, -1, 0, "") for name in SCENARIOS]


def test_what_is_done_is_not_done_again(tmp_path):
    path = tmp_path / "runs.jsonl"
    experiment = Experiment(path, "c0de")
    assert len(jobs_of(experiment, ["half"], range(0, 15, 5))) == 3
    experiment.add("half", SCENARIOS, 0, RUNS)
    experiment.add("half", SCENARIOS[:1], 5, RUNS[:1])
    with path.open("a") as file:
        file.write('{"code": "c0de", "world": "long bu')  # stopped in the middle of a line
    again = Experiment(path, "c0de")
    assert again.runs == [*RUNS, RUNS[0]]
    jobs = jobs_of(again, ["half"], range(0, 15, 5))
    assert [(job.seed, job.scenarios) for job in jobs] == [(5, SCENARIOS[1:]), (10, SCENARIOS)]
    again.add("half", SCENARIOS, 10, RUNS)
    assert len(Experiment(path, "c0de").runs) == 2 * len(SCENARIOS) + 1


def test_runs_of_other_code_are_not_mixed_in(tmp_path):
    path = tmp_path / "runs.jsonl"
    Experiment(path, "c0de").add("half", SCENARIOS, 0, RUNS)
    with pytest.raises(ValueError, match="other code"):
        Experiment(path, "0ther")
    assert len(Experiment(path).runs) == len(SCENARIOS)  # a report may be of any


def test_the_report_is_put_between_its_marks(tmp_path, capsys):
    path, page = tmp_path / "runs.jsonl", tmp_path / "judge.md"
    experiment = Experiment(path, "c0de")
    found = [Run("half", "healthy", JUDGE, 119, 900, "rank budget"), *RUNS[:1] * 3]
    experiment.add("half", SCENARIOS, 0, found)
    look = {"tenants": 500, "median_ms": 9.4, "slowest_ms": 20.0, "median_cpu_ms": 9.0, "restart_ms": 500.0}
    experiment.add_look(look | {"state_bytes": 16_485})
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert main(["--report", str(path), "--into", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "| the judge | 25.0 %, 60 min |" in text
    assert "| 500 | 9 ms | 20 ms | 9 ms | 0.5 s | 16 kB |" in text
    assert main(["--report", str(path)]) == 0
    assert capsys.readouterr().out.strip() == report(Experiment(path))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--worlds", "moon"], "no world 'moon'"), (["--runs", "0"], "at least 1"), (["--report", "/none"], "no file")],
)
def test_what_can_not_be_done_is_refused(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_lines_are_plain_json(tmp_path):
    path = tmp_path / "runs.jsonl"
    Experiment(path, "c0de").add("half", SCENARIOS, 7, RUNS)
    [line] = path.read_text().splitlines()
    assert json.loads(line)["seed"] == 7


def test_other_worlds_get_a_part_of_the_seeds():
    experiment = Experiment(Path("/none"), None)
    assert [job.seed for job in jobs_of(experiment, ["half"], range(12))] == [0, 5, 10]
    assert len(jobs_of(experiment, ["main"], range(12))) == 12
