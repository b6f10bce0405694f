"""The cells of the judge's whole experiment, which takes hours: kept in the repository with when and of which code they were measured."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench.judge_cells import cells
from bench.judge_file import Experiment
from bench.stamp import ROOT

KEPT = ROOT / "bench" / "results" / "kept" / "judge_experiment.json"


class Kept(NamedTuple):
    """When it was measured, of which code, and its cells."""

    date: str
    commit: str
    cells: list[dict[str, Any]]

    def cell(self, scenario: str, rule: str, world: str = "main") -> dict[str, Any] | None:
        """What one rule did in one scenario."""
        wanted = (world, scenario, rule)
        return next((one for one in self.cells if (one["world"], one["scenario"], one["rule"]) == wanted), None)


def keep_cells(experiment: Path, commit: str, kept: Path = KEPT) -> None:
    """Keep what an experiment's file holds; it was finished when the file was last written."""
    at = datetime.fromtimestamp(experiment.stat().st_mtime, UTC)
    found = {
        "date": at.strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit,
        "cells": cells(Experiment(experiment).runs),
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def kept_cells(kept: Path = KEPT) -> Kept | None:
    """What is kept; None where nothing is."""
    if not kept.exists():
        return None
    found = json.loads(kept.read_text())
    return Kept(found["date"], found["commit"], found["cells"])
